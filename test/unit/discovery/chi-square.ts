/** What a fair draw exceeds once in a million times, by degrees of freedom. */
export const CHI_SQUARE_LIMITS = { 1: 23.93, 2: 27.63, 4: 33.38, 8: 42.7, 9: 44.81 } as const;

/** Returns how far counts are from what was expected (Pearson's statistic). */
export function chiSquare(counts: readonly number[], expected: readonly number[]): number {
  return expected.reduce((sum, mean, i) => sum + ((counts[i] ?? 0) - mean) ** 2 / mean, 0);
}
