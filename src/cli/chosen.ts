/**
 * The verb that the command line chose. It is thrown, because after a handler returns yargs lays out the whole help
 * text, which takes longer than quantizing a small model.
 */
export class Chosen extends Error {
  readonly run: () => void | Promise<void>;

  constructor(run: () => void | Promise<void>) {
    super('a verb was chosen');
    this.run = run;
  }
}

/** The {@link Chosen} thrown while parsing; undefined for help or the version. */
export async function chosenBy(parse: () => Promise<unknown>): Promise<Chosen | undefined> {
  try {
    await parse();
    return undefined;
  } catch (cause) {
    if (cause instanceof Chosen) return cause;
    throw cause;
  }
}
