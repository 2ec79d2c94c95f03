/// <reference lib="esnext.disposable" preserve="true" />
import type { Blob } from '../bytes/stored.ts';
import { withBodies } from './bodies.ts';
import type { Graph } from './graph.ts';
import { type MetadataEntry, type ModelHeader, NO_HEADER } from './header.ts';
import { isStandard, type Node } from './node.ts';

/** One `opset_import` entry: the version of a domain's operators that the model uses. */
export interface OpsetImport {
  /** `''` is the standard domain, `ai.onnx`. */
  readonly domain: string;
  readonly version: number;
  /** Fields of the file that this package does not know, copied unread. */
  readonly extra?: Blob;
}

export interface ModelFields {
  readonly irVersion: number;
  readonly opsets: readonly OpsetImport[];
  readonly graph: Graph;
  readonly functions?: readonly Graph[];
  readonly metadata?: readonly MetadataEntry[];
  /** Names that `training_info` refers to; those weights keep their names. */
  readonly trainingNames?: ReadonlySet<string>;
  /** Closes the files that the model still reads from. */
  readonly release?: () => Promise<void>;
  /** Reads the descriptive fields of the file. */
  readonly header?: () => Promise<Omit<ModelHeader, 'metadata'>>;
}

/** The version of the standard operators that these imports state; undefined if there is none. */
export function standardVersion(opsets: readonly OpsetImport[]): number | undefined {
  return opsets.find((one) => isStandard(one.domain))?.version;
}

/** The message for a model without a standard opset, e.g. one that only uses ai.onnx.ml. */
export const NO_OPSET = 'the model imports no version of the standard operators';

/** The key that a node shares with the function it calls. */
function callKey(domain = '', name = '', overload = ''): string {
  return JSON.stringify([domain, name, overload]);
}

/** The first IR version whose initializers need not be graph inputs. */
export const FREE_INITIALIZERS = 4;

/** A node and the graph that contains it. */
export interface PlacedNode {
  readonly graph: Graph;
  readonly node: Node;
}

/** A whole model: its main graph, its functions and the operator versions it uses. */
export class Model {
  readonly graph: Graph;
  readonly trainingNames: ReadonlySet<string>;
  #functions: readonly Graph[];
  #callees: Map<string, Graph> | undefined;
  #irVersion: number;
  #opsets: readonly OpsetImport[];
  #metadata: readonly MetadataEntry[];
  readonly #releases: (() => Promise<void>)[];
  readonly #header: () => Promise<Omit<ModelHeader, 'metadata'>>;

  constructor(fields: ModelFields) {
    this.graph = fields.graph;
    this.#functions = fields.functions ?? [];
    this.trainingNames = fields.trainingNames ?? new Set();
    this.#irVersion = fields.irVersion;
    this.#opsets = fields.opsets;
    this.#metadata = fields.metadata ?? [];
    this.#releases = fields.release === undefined ? [] : [fields.release];
    this.#header = fields.header ?? (async () => NO_HEADER);
    this.graph.setListsInitializers(this.#irVersion < FREE_INITIALIZERS);
  }

  get irVersion(): number {
    return this.#irVersion;
  }

  get opsets(): readonly OpsetImport[] {
    return this.#opsets;
  }

  /** Whether the model imports the standard domain. A model that uses only other domains need not. */
  get hasOpset(): boolean {
    return standardVersion(this.#opsets) !== undefined;
  }

  /** Whether a node of the model, or of its functions, is a standard operator. */
  get usesStandard(): boolean {
    for (const { node } of this.nodes()) if (isStandard(node.domain)) return true;
    return false;
  }

  /** Version of the standard domain; 0 if the model does not import it, which messages call `NO_OPSET`. */
  get opset(): number {
    return standardVersion(this.#opsets) ?? 0;
  }

  /** States that the model now uses this version of the standard domain. Changes no node. */
  setOpset(version: number): void {
    const standard = (one: OpsetImport): boolean => isStandard(one.domain);
    if (!this.#opsets.some(standard)) this.#opsets = [...this.#opsets, { domain: '', version }];
    else this.#opsets = this.#opsets.map((one) => (standard(one) ? { ...one, version } : one));
  }

  /** Imports a domain, unless it is imported already. */
  addOpset(domain: string, version: number): void {
    if (!this.#opsets.some((one) => one.domain === domain)) this.#opsets = [...this.#opsets, { domain, version }];
  }

  /** Removes the import of a domain. */
  removeOpset(domain: string): void {
    this.#opsets = this.#opsets.filter((one) => one.domain !== domain);
  }

  /** Adds a function; its domain must be imported too. */
  addFunction(one: Graph): void {
    this.#functions = [...this.#functions, one];
    this.#callees = undefined;
  }

  /** Removes a function that no node calls any more. */
  removeFunction(one: Graph): void {
    this.#functions = this.#functions.filter((other) => other !== one);
    this.#callees = undefined;
  }

  /**
   * The local function that a node calls; undefined for an operator. ONNX does not say which one counts if a function
   * has the name of a standard operator. ONNX Runtime takes the operator, and so does this method.
   */
  callee({ domain, opType, overload }: Node): Graph | undefined {
    if (isStandard(domain) || this.#functions.length === 0) return undefined;
    this.#callees ??= new Map(
      this.#functions.map((one) => [callKey(one.signature?.domain, one.name, one.signature?.overload), one]),
    );
    return this.#callees.get(callKey(domain, opType, overload));
  }

  get functions(): readonly Graph[] {
    return this.#functions;
  }

  /**
   * States the IR version. From version 4 on, a caller may override an initializer that is also a graph input. So if
   * the version rises to 4 or above, initializers are removed from the inputs and stay constants.
   */
  setIrVersion(version: number): void {
    const { graph } = this;
    if (this.#irVersion < FREE_INITIALIZERS && version >= FREE_INITIALIZERS) {
      for (const name of graph.initializers.keys()) graph.removeInput(name);
    }
    this.#irVersion = version;
    graph.setListsInitializers(version < FREE_INITIALIZERS);
  }

  /** Raises the IR version to `FREE_INITIALIZERS` if a new initializer is not a graph input. */
  freeInitializers(): void {
    if (this.#irVersion >= FREE_INITIALIZERS) return;
    const isFree = (graph: Graph): boolean => [...graph.initializers.keys()].some((name) => !graph.isInput(name));
    if (this.graphs().some(isFree)) this.setIrVersion(FREE_INITIALIZERS);
  }

  /** The `metadata_props` entries, in file order. */
  get metadata(): readonly MetadataEntry[] {
    return this.#metadata;
  }

  removeMetadata(key: string): void {
    this.#metadata = this.#metadata.filter((one) => one.key !== key);
  }

  /** Sets the metadata entry `key` to `text`, and leaves the others as they are. */
  setMetadata(key: string, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const entry: MetadataEntry = { key, value: { byteLength: bytes.byteLength, load: async () => bytes } };
    const at = this.#metadata.findIndex((one) => one.key === key);
    const others = this.#metadata.filter((one) => one.key !== key);
    this.#metadata = at < 0 ? [...others, entry] : [...others.slice(0, at), entry, ...others.slice(at)];
  }

  /** Every graph of the model: the main one, functions, and the bodies inside them, outer before inner. */
  graphs(): readonly Graph[] {
    return withBodies([this.graph, ...this.functions]);
  }

  /** Every node, with the graph that contains it. */
  *nodes(): Generator<PlacedNode> {
    for (const graph of this.graphs()) for (const node of graph.nodes) yield { graph, node };
  }

  /** Producer, versions and files as the file states them, with the current metadata. */
  async header(): Promise<ModelHeader> {
    return { ...(await this.#header()), metadata: this.#metadata };
  }

  /**
   * Closes the files that the model reads its weights from. Nothing can be loaded afterwards. A second call does
   * nothing.
   */
  async close(): Promise<void> {
    for (const release of this.#releases.splice(0)) await release();
  }

  /** Registers a function that `close()` calls, to close something that weights are read from. */
  onClose(release: () => Promise<void>): void {
    this.#releases.push(release);
  }

  /** As {@link close}, at the end of a block with `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
