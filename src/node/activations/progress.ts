/** Called after each run of a sample. `total` is unknown until the data was read once. */
export type OnProgress = (done: number, total: number | undefined) => void;

/** Counts sample runs: those done, and those expected. */
export class Progress {
  /** Samples of one pass; 0 until the first one ends. */
  samples = 0;
  readonly #onProgress: OnProgress | undefined;
  #done = 0;

  constructor(onProgress: OnProgress | undefined) {
    this.#onProgress = onProgress;
  }

  /**
   * Called after each sample.
   * @param seen - samples of this pass so far
   * @param more - passes that follow
   */
  ran(seen: number, more: number): void {
    this.#done++;
    const left = this.samples - seen + this.samples * more;
    this.#onProgress?.(this.#done, this.samples === 0 ? undefined : this.#done + left);
  }

  /** Called after each pass. */
  passed(seen: number, more: number): void {
    if (this.samples === 0) this.#onProgress?.(this.#done, this.#done + seen * more);
    this.samples = seen;
  }
}
