// Wake words, heard by three models in a row: mel spectrogram, embedding of 76 of its frames, a head on 16 embeddings.
import ort from 'onnxruntime-node';
import { readNpz } from '../npz.js';

export const HEADS = ['alexa', 'hey_mycroft', 'hey_jarvis'];
const [FRAMES, STEP, BANDS, KEPT, WIDTH] = [76, 8, 32, 16, 96];

/**
 * The parts of clips that hold a wake word and are heard, and of the others that are taken for one.
 * @param open - gives a session for the name of a model
 * @param words - an .npz file: clips `x`, the `labels` of their wake words, −1 for none; 1 if `recorded`
 */
export async function recall(open, words) {
  const { x, labels, recorded } = readNpz(words);
  const sessions = [];
  for (const name of ['melspectrogram', 'embedding_model', ...HEADS.map((head) => `${head}_v0.1`)]) {
    sessions.push(await open(name));
  }
  const [mel, embedding, ...heads] = sessions;
  const length = x.dims[1];
  const found = { words: 0, heard: 0, recorded: 0, recordedHeard: 0, others: 0, mistaken: 0 };
  for (const [at, label] of labels.data.entries()) {
    const features = await featuresOf(mel, embedding, x.data.subarray(at * length, (at + 1) * length));
    for (const [index, head] of heads.entries()) {
      if (label >= 0 && label !== index) continue;
      const heard = (await highest(head, features)) > 0.5;
      if (label < 0) count(found, 'others', 'mistaken', heard);
      else count(found, 'words', 'heard', heard);
      if (label >= 0 && recorded.data[at] === 1) count(found, 'recorded', 'recordedHeard', heard);
    }
  }
  for (const session of sessions) await session.release();
  return found;
}

function count(found, all, some, is) {
  found[all]++;
  if (is) found[some]++;
}

async function only(session, data, dims) {
  const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', data, dims) });
  return results[session.outputNames[0]].data;
}

/** Embeddings `[n, 96]` of a clip, all in one run. */
async function featuresOf(mel, embedding, clip) {
  const frames = (await only(mel, clip, [1, clip.length])).map((value) => value / 10 + 2);
  const count = Math.floor((frames.length / BANDS - FRAMES) / STEP) + 1;
  const windows = new Float32Array(count * FRAMES * BANDS);
  for (let at = 0; at < count; at++) {
    const start = at * STEP * BANDS;
    windows.set(frames.subarray(start, start + FRAMES * BANDS), at * FRAMES * BANDS);
  }
  return only(embedding, windows, [count, FRAMES, BANDS, 1]);
}

async function highest(head, features) {
  let best = 0;
  for (let at = 0; (at + KEPT) * WIDTH <= features.length; at++) {
    const rows = features.slice(at * WIDTH, (at + KEPT) * WIDTH);
    best = Math.max(best, (await only(head, rows, [1, KEPT, WIDTH]))[0]);
  }
  return best;
}
