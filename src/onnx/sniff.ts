import type { ErrorKind } from '../errors.ts';

/** What kind of file a non-ONNX file is, and what to do about it. */
export interface Sniffed {
  readonly fact: string;
  readonly hint: string;
  readonly kind?: ErrorKind;
}

/** Data in place of a model. A program that knows its own options can give a better hint. */
const DATA = { hint: 'This is input data; a model is an .onnx file.', kind: 'data_file' } as const;

/** Recognizes a non-ONNX file by its first bytes; undefined if the format is unknown. */
export function sniff(head: Uint8Array): Sniffed | undefined {
  const text = new TextDecoder('latin1').decode(head.subarray(0, 256));
  const starts = (...bytes: number[]): boolean => bytes.every((byte, index) => head[index] === byte);
  if (text.startsWith('version https://git-lfs')) {
    return { fact: 'is a git-lfs pointer, not the model it points to', hint: 'Fetch the file itself: git lfs pull.' };
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return { fact: 'is a web page, not a model', hint: 'Was a link to a page downloaded instead of the file?' };
  }
  if (starts(0x1f, 0x8b)) return { fact: 'is compressed with gzip', hint: 'Unpack it first: gunzip.' };
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return { fact: 'is compressed with zstd', hint: 'Unpack it first: unzstd.' };
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a)) return { fact: 'is compressed with xz', hint: 'Unpack it first: unxz.' };
  if (/^BZh[1-9]1AY&SY/.test(text)) return { fact: 'is compressed with bzip2', hint: 'Unpack it first: bunzip2.' };
  if (new TextDecoder('latin1').decode(head.subarray(257, 262)) === 'ustar') {
    return { fact: 'is a tar archive', hint: 'Unpack it first: tar -xf.' };
  }
  if (starts(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)) {
    return { fact: 'is a NumPy array, not an ONNX model', ...DATA };
  }
  if (starts(0x50, 0x4b, 0x03, 0x04)) {
    // The name of the first entry: its length is at byte 26, the name after the fixed part.
    const name = text.slice(30, 30 + (head[26] ?? 0));
    if (name.endsWith('.npy')) return { fact: 'is an .npz archive of NumPy arrays, not an ONNX model', ...DATA };
    return {
      fact: 'is a zip archive (a PyTorch .pt file?)',
      hint: 'Export the model to ONNX: torch.onnx.export.',
    };
  }
  if (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5) {
    return { fact: 'is a Python pickle (an old PyTorch file?)', hint: 'Export the model to ONNX: torch.onnx.export.' };
  }
  if (text.startsWith('GGUF'))
    return { fact: 'is a GGUF file (llama.cpp), not ONNX', hint: 'Look for the ONNX export.' };
  // An ONNX file begins with ir_version and producer_name, which may say anything at byte 4 (`ORTModule`).
  const onnx = head[0] === 0x08 && head[2] === 0x12;
  if (!onnx && /^.{4}TFL3/s.test(text))
    return { fact: 'is a TensorFlow Lite model, not ONNX', hint: 'Convert it: tf2onnx.' };
  if (!onnx && /^.{4}ORTM/s.test(text))
    return { fact: 'is in the ORT format, not ONNX', hint: 'Use the .onnx file it was made from.' };
  if (starts(0x89, 0x48, 0x44, 0x46))
    return { fact: 'is an HDF5 file (Keras?), not ONNX', hint: 'Convert it: tf2onnx.' };
  if (head[8] === 0x7b && /^.{8}\{\s*"/s.test(text)) {
    return { fact: 'is a safetensors file, which holds weights without a graph', hint: 'Export the model to ONNX.' };
  }
  if (/^\s*[{[]\s*["[{\]}]/.test(text)) return { fact: 'is JSON, not a model', hint: 'Give the .onnx file.' };
  return undefined;
}

/** Whether bytes are text, as no ONNX model is: its first field alone begins with a control character. */
export function isText(head: Uint8Array): boolean {
  const text = new TextDecoder('utf-8').decode(head, { stream: true });
  return text.trim() !== '' && !/[^\P{Cc}\t\n\f\r]|\uFFFD/u.test(text);
}
