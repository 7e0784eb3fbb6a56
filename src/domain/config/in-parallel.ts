/** Runs `work` for each of `items`, for at most `most` of them at a time. Rejects with the first failure; no more is begun then. */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  let hasFailed = false;
  const lanes = Array.from({ length: Math.min(most, items.length) }, async () => {
    // All lanes take from the same iterator.
    for (const item of rest) {
      if (hasFailed) return;
      try {
        await work(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  });
  await Promise.all(lanes);
}
