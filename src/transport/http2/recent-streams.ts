/** The ids of so many streams at least, the last ones that were added, and of twice as many at most. */
export class RecentStreams {
  readonly #count: number;
  #newer = new Set<number>();
  #older = new Set<number>();

  constructor(count: number) {
    this.#count = count;
  }

  add(streamId: number): void {
    if (this.#newer.size >= this.#count) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    this.#newer.add(streamId);
  }

  has(streamId: number): boolean {
    return this.#newer.has(streamId) || this.#older.has(streamId);
  }
}
