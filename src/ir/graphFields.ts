import type { ValueInfo } from './inputs.ts';
import type { Attribute, Node } from './node.ts';
import type { SparseTensor, Tensor } from './tensor.ts';

/** How a function is called, and the operator versions its nodes use. */
export interface Signature {
  readonly domain: string;
  readonly overload: string;
  /** Attributes with default values, for calls that omit them. */
  readonly defaults: readonly Attribute[];
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
}

/** The fields of a graph. `kind` marks a function of `ModelProto.functions`, which has no initializers. */
export interface GraphFields {
  readonly kind?: 'graph' | 'function';
  readonly name?: string;
  readonly nodes?: readonly Node[];
  readonly initializers?: readonly Tensor[];
  readonly sparseInitializers?: readonly SparseTensor[];
  readonly inputs?: readonly ValueInfo[];
  readonly outputs?: readonly ValueInfo[];
  readonly valueInfo?: readonly ValueInfo[];
  readonly signature?: Signature;
}
