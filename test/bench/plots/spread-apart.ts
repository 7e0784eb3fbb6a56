/** Moves positions down as far as it takes to have `gap` between any two, so that texts there do not lie on each other. */
export function spreadApart(positions: readonly number[], gap: number): readonly number[] {
  const moved = [...positions];
  const order = positions.map((_, i) => i).toSorted((left, right) => at(left) - at(right));
  let least = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    moved[index] = Math.max(at(index), least);
    least = moved[index] + gap;
  }
  return moved;

  function at(index: number): number {
    return positions[index] ?? 0;
  }
}
