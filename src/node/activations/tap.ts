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

/** A session with more outputs than the model, and the files it was made from. */
export interface TappedSession {
  readonly session: Session;
  /** Releases the session and removes the files. A second call does nothing. */
  close(): Promise<void>;
}

/** How many times a session will run. */
type Runs = 'once' | 'often';

const SETTINGS: Readonly<Record<Runs, SessionOptions>> = {
  once: { optimization: 'disabled', packsWeights: false, arena: false },
  often: { optimization: 'basic', threads: PROCESSORS },
};

/**
 * Loads the model with values inside its main graph as extra outputs. The model itself does not change: it is written
 * to a temporary folder, including edits, and opened from there with ONNX Runtime's basic optimizations, which keep
 * every named value.
 *
 * @param values - names of outputs of nodes in the main graph; existing outputs are allowed
 * @param runs - `once` if only the outputs of one run are needed. ONNX Runtime then optimizes nothing, keeps no
 * prepacked weights, and frees the float32 copy of a float16 weight at once
 * @throws CompressError `runtime` if ONNX Runtime refuses the model, `io`, `limit`
 */
export function openTapped(model: Model, values: readonly string[], runs: Runs = 'often'): Promise<TappedSession> {
  const own = new Set(model.graph.outputs.map((one) => one.name));
  // Without a type, because ONNX Runtime infers it and files may state a wrong one.
  const outputs = values.filter((name) => !own.has(name)).map((name) => ({ name }));
  return openAdded(model, { outputs }, runs);
}

/**
 * Bytes of each value for one sample. No value is fetched: a Shape node after each one returns only its dims.
 * @returns bytes by value; types narrower than float32 count as float32
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
