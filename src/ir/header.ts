import type { Blob } from '../bytes/stored.ts';

/** One entry of `metadata_props`: a note about the model, under a key. */
export interface MetadataEntry {
  readonly key: string;
  /** UTF-8; it may be a whole tokenizer, and stays in the file until it is asked for. */
  readonly value: Blob;
  /** Fields of the file we do not model, carried along unread. */
  readonly extra?: Blob;
}

/** A file that holds weights beside the model. */
export interface DataFile {
  /** As the model names it, relative to its own folder. */
  readonly location: string;
  readonly byteLength: number;
}

/** What a file says about itself beside its graph. Passes neither read nor change it; it is for people. */
export interface ModelHeader {
  readonly producerName: string;
  readonly producerVersion: string;
  /** Reverse-DNS name of the model's owner, `''` in most files. */
  readonly domain: string;
  readonly modelVersion: number;
  readonly docString: Blob | undefined;
  readonly metadata: readonly MetadataEntry[];
  /** Bytes of the model file alone; 0 for a model that was not read from one. */
  readonly byteLength: number;
  readonly dataFiles: readonly DataFile[];
}

/** The header of a model that was made, not read; its metadata is the model's own. */
export const NO_HEADER: Omit<ModelHeader, 'metadata'> = {
  producerName: '',
  producerVersion: '',
  domain: '',
  modelVersion: 0,
  docString: undefined,
  byteLength: 0,
  dataFiles: [],
};
