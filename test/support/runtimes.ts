/** Other versions of ONNX Runtime than that of the tests: each runs in a process of its own, for many models. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Tensor } from 'onnxruntime-node';

/** Two native ones share the name of their library, so that a process loads one of them only. */
export const OTHER_RUNTIMES = ['node 1.21', 'wasm'] as const;
export type OtherRuntime = (typeof OTHER_RUNTIMES)[number];

type Values = Readonly<Record<string, Tensor>>;

/** What comes back: a Tensor itself does not pass from process to process. */
interface Answer {
  readonly outputs?: Readonly<Record<string, Pick<Tensor, 'type' | 'data' | 'dims'>>>;
  readonly error?: string;
}

/** Runs models, one at a time. */
export interface Runtime {
  /** The outputs of a model. @throws what ONNX Runtime says */
  run(model: Uint8Array, feeds: Values, optimization?: 'disabled' | 'all'): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/** Starts a process for an ONNX Runtime, which has to be closed. */
export function openRuntime(name: OtherRuntime): Runtime {
  const child = fork(fileURLToPath(new URL('runtimeChild.mjs', import.meta.url)), [name], {
    serialization: 'advanced',
    execArgv: [],
  });
  // What a test forgot to close ends with its process.
  child.unref();
  child.channel?.unref();
  return {
    async run(model, feeds, optimization = 'all') {
      const plain = Object.entries(feeds).map(([of, { type, data, dims }]) => [of, { type, data, dims }]);
      const { outputs, error } = await ask(child, { model, feeds: Object.fromEntries(plain), optimization });
      if (outputs === undefined) throw new Error(`${name}: ${error}`);
      const tensors = Object.entries(outputs).map(([of, { type, data, dims }]) => [of, new Tensor(type, data, dims)]);
      return Object.fromEntries(tensors);
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function ask(child: ChildProcess, request: object): Promise<Answer> {
  const ending = new AbortController();
  const { signal } = ending;
  child.channel?.ref();
  try {
    const answer = once(child, 'message', { signal }).then(([one]) => one as Answer);
    const ended = once(child, 'exit', { signal }).then(([code]) => ({ error: `its process ended with ${code}` }));
    child.send(request);
    return await Promise.race([answer, ended]);
  } finally {
    ending.abort();
    child.channel?.unref();
  }
}
