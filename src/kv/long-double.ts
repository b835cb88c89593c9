/**
 * Numbers as INCRBYFLOAT adds them: with 64 bits of precision and a wide range, as the processors have them that
 * Redis mostly runs on (x87 extended precision), and printed with 17 decimals at most. Computed with whole
 * numbers, so that every replica comes to the same digits.
 *
 * A number is `mantissa * 2 ** exponent`.
 */
interface LongDouble {
  readonly mantissa: bigint
  readonly exponent: number
}

/** What adding two texts came to. */
export type Sum =
  | { readonly kind: 'sum'; readonly text: string }
  | { readonly kind: 'not-a-number' }
  | { readonly kind: 'infinite' }

/** Adds two decimal numbers; `infinite` also where one of them is. */
export function addDecimals(one: string, other: string): Sum {
  const left = parse(one)
  const right = parse(other)
  if (left === undefined || right === undefined) return { kind: 'not-a-number' }
  if (left === 'infinite' || right === 'infinite') return { kind: 'infinite' }
  const exponent = Math.min(left.exponent, right.exponent)
  const mantissa = aligned(left, exponent) + aligned(right, exponent)
  const sum = rounded(mantissa, 1n, exponent)
  return isTooLarge(sum) ? { kind: 'infinite' } : { kind: 'sum', text: print(sum) }
}

const precisionBits = 64
/** Numbers are below 2 to this power. */
const exponentMax = 16_384
/** Half of the smallest number that is not zero, as a power of 2. */
const exponentMin = -16_446
/** Digits in front of and behind the point that any number may need. */
const digitsMax = 5000
/** The longest text that is looked at: longer than any number that is printed. */
const charactersMax = 5120
const decimals = 17

function parse(text: string): LongDouble | 'infinite' | undefined {
  if (text.length >= charactersMax) return undefined
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return 'infinite'
  if (/^[+-]?0x/i.test(text)) return parseHexadecimal(text)
  const match = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', power = '0'] = match
  const digits = BigInt(whole + fraction)
  if (digits === 0n) return { mantissa: 0n, exponent: 0 }
  const scale = Number(power) - fraction.length
  if (scale + whole.length + fraction.length > digitsMax + charactersMax || scale < -2 * charactersMax)
    return undefined
  const ten = 10n ** BigInt(Math.abs(scale))
  const magnitude = scale >= 0 ? rounded(digits * ten, 1n, 0) : rounded(digits, ten, 0)
  return inRange(magnitude, sign)
}

/** Hexadecimal digits, and a power of 2 in decimal: `0x1.8p3` is 12. */
function parseHexadecimal(text: string): LongDouble | undefined {
  const match = /^([+-]?)0x(?=\.?[\da-f])([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', power = '0'] = match
  const digits = BigInt(`0x${whole}${fraction}`)
  return inRange(rounded(digits, 1n, Number(power) - 4 * fraction.length), sign)
}

/** The number with its sign, or undefined if it is none that there can be. */
function inRange(magnitude: LongDouble, sign: string): LongDouble | undefined {
  const { mantissa, exponent } = magnitude
  if (mantissa === 0n) return magnitude
  if (isTooLarge(magnitude) || bits(mantissa) + exponent < exponentMin) return undefined
  return sign === '-' ? { exponent, mantissa: -mantissa } : magnitude
}

/** The nearest number with 64 bits to `numerator / denominator * 2 ** exponent`; of two, the even one. */
function rounded(numerator: bigint, denominator: bigint, exponent: number): LongDouble {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 }
  const isNegative = numerator < 0n
  const positive = isNegative ? -numerator : numerator
  // The quotient has at least as many bits as are kept, and the last one more or less is cut off below.
  const shift = precisionBits + 1 - (bits(positive) - bits(denominator))
  const [up, down] = shift > 0 ? [BigInt(shift), 0n] : [0n, BigInt(-shift)]
  const divisor = denominator << down
  const quotient = (positive << up) / divisor
  const hasRest = (positive << up) % divisor !== 0n
  const surplus = BigInt(bits(quotient) - precisionBits)
  const mantissa = halfToEven(quotient, surplus, hasRest)
  return { mantissa: isNegative ? -mantissa : mantissa, exponent: exponent - shift + Number(surplus) }
}

/** `value / 2 ** cut`, rounded; with `hasRest` the value is a little more than it seems. */
function halfToEven(value: bigint, cut: bigint, hasRest: boolean): bigint {
  if (cut <= 0n) return value << -cut
  const kept = value >> cut
  const rest = value - (kept << cut)
  const half = 1n << (cut - 1n)
  const goesUp = rest > half || (rest === half && (hasRest || (kept & 1n) === 1n))
  return goesUp ? kept + 1n : kept
}

function aligned({ mantissa, exponent }: LongDouble, to: number): bigint {
  return mantissa << BigInt(exponent - to)
}

function isTooLarge({ mantissa, exponent }: LongDouble): boolean {
  return mantissa !== 0n && bits(mantissa < 0n ? -mantissa : mantissa) + exponent > exponentMax
}

function bits(positive: bigint): number {
  const hex = positive.toString(16)
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex.charAt(0), 16)))
}

/** In decimals, without the zeros at their end. */
function print({ mantissa, exponent }: LongDouble): string {
  const isNegative = mantissa < 0n
  const scaled = (isNegative ? -mantissa : mantissa) * 10n ** BigInt(decimals)
  const units = exponent >= 0 ? scaled << BigInt(exponent) : halfToEven(scaled, BigInt(-exponent), false)
  const digits = units.toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, -decimals)
  const fraction = digits.slice(-decimals).replace(/0+$/, '')
  const text = fraction === '' ? whole : `${whole}.${fraction}`
  return isNegative && units !== 0n ? `-${text}` : text
}
