/**
 * The demo computes prices in 32-bit floats and prints each with the fewest digits that give the same
 * 32-bit float again. Without this 302 × 0.9 would print as 271.79999.
 */
export function shortestFloat32(value: number): number {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) return single;
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(single.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return single;
}

/** A price after a discount, every step rounded to a 32-bit float. */
export function discountedPrice(price: number, discount: number): number {
  const factor = Math.fround(1 - Math.fround(discount));
  return shortestFloat32(Math.fround(Math.fround(price) * factor));
}
