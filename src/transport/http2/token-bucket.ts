/** Lets so much happen at once, and so much each second after that. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
  }

  /** Takes so many tokens; false: there are fewer. @param tokens default 1 */
  take(tokens = 1): boolean {
    if (this.#tokens < tokens) this.#fill();
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  #fill(): void {
    const nowMs = performance.now();
    this.#tokens = Math.min(
      this.#burst,
      this.#tokens + ((nowMs - this.#filledAtMs) / 1_000) * this.#perSecond,
    );
    this.#filledAtMs = nowMs;
  }
}
