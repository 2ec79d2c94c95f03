import { basename, join } from 'node:path';
import { CompressError } from '../../../errors.ts';
import { TOKENS } from '../../../options/measure.ts';
import type { TuneValues } from '../../../options/tune.ts';
import type { DataFor } from '../../data/fitting.ts';
import { temporaryFolder } from '../../files/temporary.ts';
import type { Family } from '../generation/family.ts';
import { type Prompts, promptsOf, promptsOfFile } from '../generation/prompts.ts';
import { openTokenizer } from '../generation/tokenizer.ts';
import type { Candidates, Made } from './candidate.ts';
import { FamilyJudge } from './familyJudge.ts';
import { sizeOf } from './size.ts';
import type { Candidate, Subject, Trials } from './subject.ts';

/** Options about a single model: one of its outputs, or its inputs and activations. */
const OF_ONE = ['judge', 'batch', 'ranges'] as const;

/** Models that generate text together. A selection applies to all of them: a layer is everything with its name. */
export class FamilySubject implements Subject {
  readonly files: readonly string[];
  readonly #family: Family;
  readonly #values: TuneValues;
  readonly #dataFor: DataFor;
  readonly #candidates: Candidates;

  /** @throws CompressError `options` for options about a single model */
  constructor(family: Family, values: TuneValues, dataFor: DataFor, candidates: Candidates) {
    const option = OF_ONE.find((one) => values[one] !== undefined);
    if (option !== undefined) {
      throw new CompressError('options', option, 'applies to a single model, not to a folder', {
        hint: 'A decoder needs the outputs of its encoder, which no data file contains.',
      });
    }
    this.#family = family;
    this.#values = values;
    this.#dataFor = dataFor;
    this.#candidates = candidates;
    const { encoder, decoders } = family;
    const paths = [encoder, ...decoders.flatMap(({ first, next }) => [first, next])];
    this.files = [...new Set(paths.filter((path) => path !== undefined))];
  }

  async open(): Promise<Trials> {
    const { tokens = TOKENS } = this.#values;
    const judge = await FamilyJudge.open(this.#family, await this.#prompts(), tokens);
    return {
      data: judge.data,
      reference: async () => {
        const sizes = await Promise.all(this.files.map(sizeOf));
        return { judgement: await judge.judge(this.#family), bytes: sizes.reduce((sum, one) => sum + one, 0) };
      },
      try: (float) => this.#try(judge, float),
      close: () => judge.close(),
    };
  }

  async #prompts(): Promise<Prompts> {
    const { prompts } = this.#values;
    if (prompts === undefined) return promptsOf(this.#family, this.#dataFor);
    return promptsOfFile(this.#family, prompts, await openTokenizer(this.#family.root));
  }

  async #try(judge: FamilyJudge, float: readonly string[]): Promise<Candidate> {
    const folder = await temporaryFolder();
    try {
      const paths = new Map<string, string>();
      const made: Made[] = [];
      for (const from of this.files) {
        const to = join(folder.path, basename(from));
        paths.set(from, to);
        made.push(await this.#candidates.make(from, to, float));
      }
      return { ...together(made), judgement: await judge.judge(moved(this.#family, paths)) };
    } finally {
      await folder.remove();
    }
  }
}

/** The same family with other files. */
function moved(family: Family, paths: ReadonlyMap<string, string>): Family {
  const to = (path: string): string => paths.get(path) ?? path;
  const { encoder, decoders } = family;
  return {
    ...family,
    ...(encoder === undefined ? {} : { encoder: to(encoder) }),
    decoders: decoders.map(({ form, first, next }) => ({ form, first: to(first), next: to(next) })),
  };
}

/** Combines the results of several models. A pattern matches nothing if it matches nothing in each of them. */
function together(made: readonly Made[]): Made {
  const [first] = made as readonly [Made, ...Made[]];
  const all = <T>(of: (one: Made) => readonly T[]): T[] => made.flatMap(of);
  return {
    step: first.step,
    bytes: made.reduce((sum, one) => sum + one.bytes, 0),
    notes: first.notes.filter((note) => made.every((one) => one.notes.includes(note))),
    report: {
      ...first.report,
      changes: all((one) => one.report.changes),
      skips: all((one) => one.report.skips),
      facts: all((one) => one.report.facts ?? []),
      notes: [...new Set(all((one) => one.report.notes))],
    },
  };
}
