"""Inputs for benchmarks/trained.js from photos and sound: NAME-calib.npz and NAME-test.npz beside the models.

    python benchmarks/trained/data.py FOLDER

Needs numpy, Pillow and onnxruntime. FOLDER holds the models and, as benchmarks/README.md says, faces/*.jpg,
photos/*.jpg, songs/*.wav (two), words/PHRASE-VOICE.wav.
"""
import glob
import os
import sys
import wave

import numpy as np
import onnxruntime
from PIL import Image

FOLDER = sys.argv[1]
SPEECH = 16000
# The length of a clip, in samples: two seconds of noise, then the phrase.
CLIP = 5 * SPEECH
PHRASES = ['alexa', 'hey_mycroft', 'hey_jarvis']


def path(*parts):
    return os.path.join(FOLDER, *parts)


def save(name, calib, test):
    np.savez(path(f'{name}-calib.npz'), **calib)
    np.savez(path(f'{name}-test.npz'), **test)
    print(name, {key: value.shape for key, value in test.items()})


def session(name):
    return onnxruntime.InferenceSession(path(f'{name}.onnx'), providers=['CPUExecutionProvider'])


def sound(file, rate):
    """A recording as numbers of 16 bits, at `rate`."""
    with wave.open(file) as recording:
        data = np.frombuffer(recording.readframes(recording.getnframes()), '<i2').astype('float64')
        data = data.reshape(-1, recording.getnchannels()).mean(1)
        old = recording.getframerate()
    if old > rate:
        # A windowed sinc cuts off what the new rate cannot hold.
        taps = np.arange(-32, 33)
        data = np.convolve(data, np.sinc(taps * rate / old) * np.hanning(65) * rate / old, 'same')
    at = np.arange(int(len(data) * rate / old)) * old / rate
    return np.interp(at, np.arange(len(data)), data).astype('float32')


def faces():
    """Photos in a square of 320 pixels, blue first, 0 to 255."""
    rows = []
    for file in sorted(glob.glob(path('faces', '*.jpg'))):
        image = Image.open(file).convert('RGB')
        scale = 320 / max(image.size)
        image = image.resize([max(1, round(side * scale)) for side in image.size], Image.BOX)
        square = Image.new('RGB', (320, 320))
        square.paste(image)
        rows.append(np.asarray(square)[:, :, ::-1].transpose(2, 0, 1))
    rows = np.stack(rows).astype('float32')
    save('yunet', {'input': rows[::3]}, {'input': np.delete(rows, np.s_[::3], 0)})


def crops(files, count, seed):
    """Random parts of photos in 352 × 352 pixels, blue first, 0 to 1."""
    random = np.random.default_rng(seed)
    rows = []
    for at in range(count):
        image = Image.open(files[at % len(files)]).convert('RGB')
        part = random.uniform(0.6, 1)
        width, height = [int(side * part) for side in image.size]
        left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
        image = image.crop((left, top, left + width, top + height)).resize((352, 352), Image.BOX)
        rows.append(np.asarray(image)[:, :, ::-1].transpose(2, 0, 1) / np.float32(255))
    return np.stack(rows)


def photos():
    files = sorted(glob.glob(path('photos', '*.jpg')))
    name = session('FastestDet').get_inputs()[0].name
    save('FastestDet', {name: crops(files[:2], 12, 1)}, {name: crops(files[2:], 24, 2)})
    grey = lambda rows: np.stack([row.mean(0)[None, :224, :224] for row in rows]).astype('float32')
    save('super_resolution', {'input': grey(crops(files[:2], 6, 3))}, {'input': grey(crops(files[2:], 6, 4))})


def songs():
    name = session('basic-pitch').get_inputs()[0].name
    windows = []
    for file in sorted(glob.glob(path('songs', '*.wav'))):
        data = sound(file, 22050) / 32768
        count = len(data) // 43844
        windows.append(data[: count * 43844].reshape(count, 43844, 1))
    save('basic-pitch', {name: windows[0][:4]}, {name: windows[1]})


def clips():
    """Every phrase at three levels of noise, ends half a second before the clip does."""
    random = np.random.default_rng(5)
    rows, labels, voices = [], [], []
    for file in sorted(glob.glob(path('words', '*.wav'))):
        phrase, voice = os.path.basename(file)[:-4].split('-', 1)
        word = sound(file, SPEECH)[: CLIP - 5 * SPEECH // 2]
        word *= 8000 / np.abs(word).max()
        for decibels in [30, 15, 8]:
            level = np.sqrt(np.mean(word**2)) * 10 ** (-decibels / 20)
            clip = random.normal(0, level, CLIP)
            end = CLIP - SPEECH // 2
            clip[end - len(word) : end] += word
            rows.append(np.round(clip).clip(-32768, 32767).astype('float32'))
            labels.append(PHRASES.index(phrase) if phrase in PHRASES else -1)
            voices.append(voice)
    return np.stack(rows), np.array(labels, 'int32'), np.array(voices)


def speech():
    """Sound for the parts of a wake word, and for voice activity."""
    rows, labels, voices = clips()
    # Voices of one program calibrate, the others and the recordings judge.
    ours = np.array([voice.startswith('flite_kal') for voice in voices])
    calib, test, kinds = rows[ours], rows[~ours], labels[~ours]
    recorded = np.array([int(not voice.startswith(('flite', 'espeak'))) for voice in voices[~ours]], 'int32')
    # Of the three levels of noise, the middle one.
    words = {'x': test[1::3], 'labels': kinds[1::3], 'recorded': recorded[1::3]}
    np.savez(path('words.npz'), **words)
    print('words', words['x'].shape, 'with a wake word', (words['labels'] >= 0).sum())
    save('melspectrogram', {'input': calib[::6]}, {'input': test[::20]})
    mel, embedding = session('melspectrogram'), session('embedding_model')

    def windows(clip):
        frames = mel.run(None, {'input': clip[None]})[0].squeeze() / 10 + 2
        return np.stack([frames[at : at + 76] for at in range(0, len(frames) - 75, 8)])[..., None].astype('float32')

    def some(clips, step):
        return np.concatenate([windows(clip)[::step] for clip in clips])

    save('embedding_model', {'input_1': some(calib[::12], 12)}, {'input_1': some(test[::20], 8)})

    def features(clips):
        values = [embedding.run(None, {'input_1': windows(clip)})[0].reshape(-1, 96)[-20:-4] for clip in clips]
        return np.stack(values).astype('float32')

    for head in PHRASES:
        name = f'{head}_v0.1'
        feed = session(name).get_inputs()[0].name
        save(name, {feed: features(calib[::6])}, {feed: features(test[::10])})
    voice(calib[:1], 'calib')
    voice(test[2:3], 'test')


def voice(clips, what):
    """Each window of 32 ms with the state before it: one run of silero's model."""
    model = session('silero_vad_v5')
    frames, states = [], []
    for clip in clips:
        state, last = np.zeros((2, 1, 128), 'float32'), np.zeros(64, 'float32')
        for at in range(0, CLIP - 511, 512):
            part = (clip[at : at + 512] / 32768).astype('float32')
            frame = np.concatenate([last, part])[None]
            frames.append(frame)
            states.append(state)
            state = model.run(None, {'input': frame, 'state': state, 'sr': np.array(16000, 'int64')})[1]
            last = part[-64:]
    feeds = {'input': np.concatenate(frames), 'state': np.concatenate(states, 1), 'sr': np.array(16000, 'int64')}
    np.savez(path(f'silero_vad_v5-{what}.npz'), **feeds)


for make in [faces, photos, songs, speech]:
    make()
