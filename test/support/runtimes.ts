/** Other versions of ONNX Runtime than that of the tests: each runs in a process of its own, for many models. */
import { Tensor } from 'onnxruntime-node';
import { startChild } from './child.ts';

/** Two native ones share the name of their library, so that a process loads one of them only. */
export const OTHER_RUNTIMES = ['node 1.21', 'wasm'] as const;
export type OtherRuntime = (typeof OTHER_RUNTIMES)[number];

type Values = Readonly<Record<string, Tensor>>;

/** What comes back: a Tensor itself does not pass from process to process. */
interface Answer {
  readonly outputs?: Readonly<Record<string, Pick<Tensor, 'type' | 'data' | 'dims'>>>;
  readonly error?: string;
}

/** How a model is run. */
interface RunOptions {
  readonly optimization?: 'disabled' | 'all';
  /** Data files of the model, under the names it has for them. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** Runs models, one at a time. */
export interface Runtime {
  /** The outputs of a model. @throws what ONNX Runtime says */
  run(model: Uint8Array, feeds: Values, how?: RunOptions): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/** Starts a process for an ONNX Runtime, which has to be closed. */
export function openRuntime(name: OtherRuntime): Runtime {
  const child = startChild<object, Answer>('runtimeChild.mjs', [name]);
  return {
    async run(model, feeds, { optimization = 'all', externalData } = {}) {
      const plain = Object.entries(feeds).map(([of, { type, data, dims }]) => [of, { type, data, dims }]);
      const answer: Answer = await child.ask({ model, feeds: Object.fromEntries(plain), optimization, externalData });
      const { outputs, error } = answer;
      if (outputs === undefined) throw new Error(`${name}: ${error}`);
      const tensors = Object.entries(outputs).map(([of, { type, data, dims }]) => [of, new Tensor(type, data, dims)]);
      return Object.fromEntries(tensors);
    },
    close: () => child.close(),
  };
}
