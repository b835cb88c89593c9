# A small image of one node: docker build -t quorate .
# A line of Node.js with long-term support; Quorate runs with 20.19 and newer.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Not `npm ci`: the lock file holds the native packages of some platforms only, which `npm install` completes.
RUN npm install --no-audit --no-fund
COPY tsconfig.json ./
COPY bin ./bin
COPY src ./src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm install --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
# A container listens on all of its addresses, and QUORATE_ADVERTISE must say by which one others reach it.
ENV QUORATE_HOST=0.0.0.0
ENV QUORATE_DATA_DIR=/data
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist/bin ./dist/bin
COPY --from=build /app/dist/src ./dist/src
# A volume that is made from the image takes over who owns the directory.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 5000 6000
# Asks the node for its status over the client port; any answer is health, also one without a leader.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["node", "/app/dist/bin/quorate-health.js"]
# Without a shell in between: the node is process 1, gets SIGTERM itself, and hands leadership over before it ends.
ENTRYPOINT ["node", "/app/dist/bin/quorate.js"]
