import { join } from 'node:path';

import { bitsOf, elementCount } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import { namesOf } from '../../ir/names.ts';
import { createNode } from '../../ir/node.ts';
import type { Addition } from '../../onnx/encode.ts';
import type { Sample } from '../data/types.ts';
import { temporaryFolder } from '../files/temporary.ts';
import { writeModel } from '../model.ts';
import { openSession, PROCESSORS, type Session, type SessionOptions } from '../runtime/session.ts';

/** A session that gives more than the model's outputs, and the files it was made from. */
export interface TappedSession {
  readonly session: Session;
  /** Releases the session and removes the files. A second call does nothing. */
  close(): Promise<void>;
}

/** How often a session will be run. */
type Runs = 'once' | 'often';

const SETTINGS: Readonly<Record<Runs, SessionOptions>> = {
  once: { optimization: 'disabled', packsWeights: false, arena: false },
  often: { optimization: 'basic', threads: PROCESSORS },
};

/**
 * Loads the model with values inside its main graph as further outputs. The model itself stays as it is: it is written
 * to a temporary folder, edits included, and opened from there with ONNX Runtime's basic rewrites, which keep what
 * every named value is.
 *
 * @param values - names that the main graph's nodes give; those that are outputs already may be among them
 * @param runs - `once` where the outputs alone are asked for one time: then ONNX Runtime rewrites nothing, keeps no
 *   copies of weights in an order of its own, and returns what a float16 weight takes as float32 at once
 * @throws CompressError `runtime` if ONNX Runtime refuses the model, `io`, `limit`
 */
export function openTapped(model: Model, values: readonly string[], runs: Runs = 'often'): Promise<TappedSession> {
  const own = new Set(model.graph.outputs.map((one) => one.name));
  // Without a type: ONNX Runtime infers it, and files may state a wrong one.
  const outputs = values.filter((name) => !own.has(name)).map((name) => ({ name }));
  return openAdded(model, { outputs }, runs);
}

/**
 * Bytes each value takes for one sample, without keeping any of them: a Shape node after each gives its dims alone.
 * @returns bytes by value; values of types narrower than float32 are taken for float32
 * @throws CompressError `runtime`, `io`, `limit`
 */
export async function tapSizes(
  model: Model,
  values: readonly string[],
  sample: Sample,
): Promise<ReadonlyMap<string, number>> {
  const names = namesOf(model.graph);
  const shapes = values.map((value) => names.unique(`${value}_shape`));
  const nodes = values.map((value, index) =>
    createNode({ opType: 'Shape', inputs: [value], outputs: [shapes[index] as string] }),
  );
  const tapped = await openAdded(model, { nodes, outputs: shapes.map((name) => ({ name })) });
  try {
    const results = await tapped.session.run(sample.feeds, shapes);
    const bytes = (name: string): number => {
      const dims = (results[name]?.data ?? []) as Iterable<bigint>;
      return (elementCount(Array.from(dims, Number)) * bitsOf('float32')) / 8;
    };
    return new Map(values.map((value, index) => [value, bytes(shapes[index] as string)]));
  } finally {
    await tapped.close();
  }
}

async function openAdded(model: Model, adding: Addition, runs: Runs = 'often'): Promise<TappedSession> {
  const folder = await temporaryFolder();
  try {
    const path = join(folder.path, 'model.onnx');
    await writeModel(model, path, { adding, data: 'external' });
    const session = await openSession(path, { label: 'model', ...SETTINGS[runs] });
    return {
      session,
      async close() {
        await session.release();
        await folder.remove();
      },
    };
  } catch (cause) {
    await folder.remove();
    throw cause;
  }
}
