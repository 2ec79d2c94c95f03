/** Versions of ONNX Runtime other than that of the tests; each runs in its own process, for many models. */
import { Tensor } from 'onnxruntime-node';
import { startChild } from './child.ts';

/** Native versions share the name of their library, so a process can load only one of them. */
export const OTHER_RUNTIMES = ['node 1.21', 'wasm'] as const;
export type OtherRuntime = (typeof OTHER_RUNTIMES)[number];

type Values = Readonly<Record<string, Tensor>>;

/** The answer, because a Tensor cannot be passed between processes. */
interface Answer {
  readonly outputs?: Readonly<Record<string, Pick<Tensor, 'type' | 'data' | 'dims'>>>;
  readonly error?: string;
}

/** How a model is run. */
interface RunOptions {
  readonly optimization?: 'disabled' | 'all';
  /** Data files of the model, by their names in it. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** Runs models, one at a time. */
export interface Runtime {
  /** The outputs of a model. @throws what ONNX Runtime says */
  run(model: Uint8Array, feeds: Values, how?: RunOptions): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/** Starts a process for an ONNX Runtime, which must be closed. */
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
