// What is due when: a binary heap whose members know their place, so that one can be moved or taken out.

/** Something that is due at a time. */
export interface Due {
  /** In milliseconds of the clock. Only the queue changes it. */
  dueMs: number;
  /** Where it stands in the queue; -1: it does not. Only the queue changes it. */
  place: number;
}

/** Orders things by when they are due. Every change takes time in the logarithm of their number. */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What is due first. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  /** Puts something in, or moves it to another time. */
  set(item: T, dueMs: number): void {
    item.dueMs = dueMs;
    if (item.place === -1) {
      item.place = this.#heap.length;
      this.#heap.push(item);
    }
    this.#sink(this.#rise(item));
  }

  /** Takes something out, if it is in. */
  delete(item: T): void {
    if (item.place === -1) return;
    const last = this.#heap.pop();
    if (last !== undefined && last !== item) {
      this.#put(last, item.place);
      this.#sink(this.#rise(last));
    }
    item.place = -1;
  }

  #rise(item: T): T {
    for (;;) {
      const above = this.#heap[(item.place - 1) >> 1];
      if (item.place === 0 || above === undefined || above.dueMs <= item.dueMs) return item;
      this.#swap(item, above);
    }
  }

  #sink(item: T): void {
    for (;;) {
      const left = this.#heap[2 * item.place + 1];
      const right = this.#heap[2 * item.place + 2];
      const sooner = right !== undefined && left !== undefined && right.dueMs < left.dueMs ? right : left;
      if (sooner === undefined || sooner.dueMs >= item.dueMs) return;
      this.#swap(item, sooner);
    }
  }

  #swap(a: T, b: T): void {
    const { place } = a;
    this.#put(a, b.place);
    this.#put(b, place);
  }

  #put(item: T, place: number): void {
    item.place = place;
    this.#heap[place] = item;
  }
}
