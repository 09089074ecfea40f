/** How much of the traffic a mirror gets: `percent`, `fraction`, or all. */
export function parsePercentOrFraction(mirror: {
  percent?: number;
  fraction?: { numerator: number; denominator?: number };
}): {
  numerator: number;
  denominator: number;
} {
  if (mirror.fraction !== undefined)
    return { numerator: mirror.fraction.numerator, denominator: mirror.fraction.denominator ?? 100 };
  return { numerator: mirror.percent ?? 100, denominator: 100 };
}
