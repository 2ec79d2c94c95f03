// What users read off the outputs of trained models: 1 where a small model finds the same as the float one.

/** Tensors of a run by name → the score of a small model, 0 … 1, over all runs. */
export const JUDGES = {
  yunet: {
    says: 'F1 of the faces at IoU 0.5',
    of: (expected, seen) => matched(expected.map(faces), seen.map(faces)),
  },
  FastestDet: {
    says: 'F1 of the objects at IoU 0.5',
    of: (expected, seen) => matched(expected.map(objects), seen.map(objects)),
  },
  'basic-pitch': {
    says: 'IoU of the notes',
    of: (expected, seen) => overlap(expected, seen, (name) => name.endsWith(':1'), 0.3),
  },
  super_resolution: { says: 'PSNR in dB', of: psnr },
  silero_vad_v5: { says: 'frames decided as by float', of: decided },
};

const STRIDES = [8, 16, 32];

/** Boxes of yunet: `[left, top, right, bottom, score, class]`, most certain first. */
function faces(run) {
  const boxes = STRIDES.flatMap((stride) => {
    const [certain, object, box] = ['cls', 'obj', 'bbox'].map((name) => run[`${name}_${stride}`].data);
    const side = 320 / stride;
    return Array.from(certain, (one, at) => {
      const [dx, dy, width, height] = box.subarray(4 * at, 4 * at + 4);
      const [x, y] = [((at % side) + dx) * stride, (Math.floor(at / side) + dy) * stride];
      const half = [width, height].map((size) => (Math.exp(size) * stride) / 2);
      return [x - half[0], y - half[1], x + half[0], y + half[1], Math.sqrt(one * object[at]), 0];
    });
  });
  return separate(boxes, 0.6, 0.3);
}

/** Boxes of FastestDet, in parts of the image. */
function objects(run) {
  const [{ data, dims }] = Object.values(run);
  const [, channels, rows, columns] = dims;
  const places = rows * columns;
  const boxes = Array.from({ length: places }, (_, at) => {
    const [object, dx, dy, dw, dh, ...classes] = Array.from({ length: channels }, (_, c) => data[c * places + at]);
    const best = Math.max(...classes);
    const [width, height] = [dw, dh].map((one) => 1 / (1 + Math.exp(-one)) / 2);
    const [x, y] = [((at % columns) + Math.tanh(dx)) / columns, (Math.floor(at / columns) + Math.tanh(dy)) / rows];
    return [x - width, y - height, x + width, y + height, object ** 0.6 * best ** 0.4, classes.indexOf(best)];
  });
  return separate(boxes, 0.65, 0.45);
}

function area([left, top, right, bottom]) {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

function iou(a, b) {
  const both = area([...[0, 1].map((i) => Math.max(a[i], b[i])), ...[2, 3].map((i) => Math.min(a[i], b[i]))]);
  return both / (area(a) + area(b) - both);
}

/** The boxes above a score, without those that overlap a better one of their class. */
function separate(boxes, least, most) {
  const kept = [];
  for (const box of boxes.filter((one) => one[4] > least).sort((a, b) => b[4] - a[4])) {
    if (!kept.some((one) => one[5] === box[5] && iou(one, box) > most)) kept.push(box);
  }
  return kept;
}

/** F1: boxes that both find, of the same class and where they overlap by half, among those of either. */
function matched(expected, seen) {
  let [both, all] = [0, 0];
  for (const [at, wanted] of expected.entries()) {
    const free = [...seen[at]];
    all += wanted.length + free.length;
    for (const box of wanted) {
      const found = free.findIndex((one) => one[5] === box[5] && iou(one, box) >= 0.5);
      if (found < 0) continue;
      free.splice(found, 1);
      both += 2;
    }
  }
  return both / all;
}

/** Of the elements above `least` in either, those in both. */
function overlap(expected, seen, chosen, least) {
  let [both, either] = [0, 0];
  for (const [at, run] of expected.entries()) {
    const name = Object.keys(run).find(chosen);
    run[name].data.forEach((value, i) => {
      const [a, b] = [value > least, seen[at][name].data[i] > least];
      if (a && b) both++;
      if (a || b) either++;
    });
  }
  return both / either;
}

/** Of what the float model makes from 0 to 1. */
function psnr(expected, seen) {
  let [noise, count] = [0, 0];
  for (const [at, run] of expected.entries()) {
    const [wanted, found] = [run, seen[at]].map((one) => Object.values(one)[0].data);
    wanted.forEach((value, i) => {
      noise += (value - found[i]) ** 2;
    });
    count += wanted.length;
  }
  return 10 * Math.log10(count / noise);
}

function decided(expected, seen) {
  const same = expected.filter((run, at) => run.output.data[0] > 0.5 === seen[at].output.data[0] > 0.5);
  return same.length / expected.length;
}
