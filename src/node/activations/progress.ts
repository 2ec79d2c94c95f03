/** Called after each run of a sample. `total` is unknown until the data was read once. */
export type OnProgress = (done: number, total: number | undefined) => void;

/** How many runs of samples are done, and how many will be. */
export class Progress {
  /** Samples of one pass; 0 before the first one is over. */
  samples = 0;
  readonly #onProgress: OnProgress | undefined;
  #done = 0;

  constructor(onProgress: OnProgress | undefined) {
    this.#onProgress = onProgress;
  }

  /**
   * A sample was run.
   * @param seen - samples of this pass so far
   * @param more - passes that come after it
   */
  ran(seen: number, more: number): void {
    this.#done++;
    const left = this.samples - seen + this.samples * more;
    this.#onProgress?.(this.#done, this.samples === 0 ? undefined : this.#done + left);
  }

  /** A pass is over. */
  passed(seen: number, more: number): void {
    if (this.samples === 0) this.#onProgress?.(this.#done, this.#done + seen * more);
    this.samples = seen;
  }
}
