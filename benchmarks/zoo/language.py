"""Networks for text and sound: those of transformers at a small size, and two recurrent ones written here."""

import torch
import transformers
from torch import nn

VOCABULARY, LENGTH, WIDTH, LAYERS, HEADS = 8000, 48, 384, 4, 6

COMMON = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=4 * WIDTH)
LLAMA = {**COMMON, "intermediate_size": 1024, "num_key_value_heads": 2, "use_cache": False, "max_position_embeddings": 512}

# Name in the table → class of the model, class of its configuration, arguments of that.
MODELS = {
    "bert": ("BertForMaskedLM", "BertConfig", COMMON),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", dict(vocab_size=VOCABULARY, dim=WIDTH, hidden_dim=4 * WIDTH, n_layers=LAYERS, n_heads=HEADS)),
    "roberta": ("RobertaForSequenceClassification", "RobertaConfig", COMMON),
    "albert": ("AlbertForMaskedLM", "AlbertConfig", {**COMMON, "embedding_size": 128, "num_hidden_layers": 6, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}),
    "electra": ("ElectraForTokenClassification", "ElectraConfig", {**COMMON, "embedding_size": 128}),
    "deberta": ("DebertaV2ForSequenceClassification", "DebertaV2Config", {**COMMON, "relative_attention": True, "position_buckets": 32, "max_relative_positions": 64, "pos_att_type": ["p2c", "c2p"], "share_att_key": True, "norm_rel_ebd": "layer_norm"}),
    "minilm": ("BertModel", "BertConfig", COMMON),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", dict(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=512, use_cache=False)),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", {**COMMON, "use_cache": False}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", LLAMA),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {**LLAMA, "tie_word_embeddings": True}),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", {**LLAMA, "head_dim": 64, "tie_word_embeddings": True}),
    "mistral": ("MistralForCausalLM", "MistralConfig", LLAMA),
    "phi": ("PhiForCausalLM", "PhiConfig", {**COMMON, "use_cache": False}),
    "opt": ("OPTForCausalLM", "OPTConfig", dict(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, ffn_dim=4 * WIDTH, word_embed_proj_dim=WIDTH, use_cache=False)),
}
T5 = dict(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=64, d_ff=1024, num_layers=LAYERS, num_heads=HEADS, use_cache=False)
WHISPER = dict(vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=4 * WIDTH, decoder_ffn_dim=4 * WIDTH, max_source_positions=200, use_cache=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
BART = {**{k: v for k, v in WHISPER.items() if k != "max_source_positions"}, "encoder_layers": 2, "decoder_layers": 2}


def tokens(length: int = LENGTH) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (1, length))


class Only(nn.Module):
    """A model called with arguments by name, of whose results one is kept."""

    def __init__(self, model: nn.Module, names: tuple[str, ...], kept: str | int, fixed: dict | None = None) -> None:
        super().__init__()
        self.model, self.names, self.kept, self.fixed = model, names, kept, fixed or {}

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        made = self.model(**dict(zip(self.names, given)), **self.fixed, return_dict=True)
        return made[self.kept]


def config(name: str, arguments: dict):
    return getattr(transformers, name)(**arguments, attn_implementation="eager")


def transformer(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """The architecture with random weights, and token ids for it."""
    model, settings, arguments = MODELS[name]
    made = getattr(transformers, model)(config(settings, arguments))
    kept = "last_hidden_state" if model == "BertModel" else "logits"
    return Only(made, ("input_ids",), kept), (tokens(),)


class Decoder(nn.Module):
    """The decoder of a model that has an encoder, and its output layer."""

    def __init__(self, decoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.decoder, self.head = decoder, head

    def forward(self, ids: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        return self.head(self.decoder(input_ids=ids, encoder_hidden_states=states, use_cache=False, return_dict=True)[0])


def t5_encoder():
    model = transformers.T5EncoderModel(config("T5Config", T5))
    return Only(model, ("input_ids",), "last_hidden_state"), (tokens(),)


def t5_decoder():
    model = transformers.T5ForConditionalGeneration(config("T5Config", T5))
    return Decoder(model.decoder, model.lm_head), (tokens(), torch.randn(1, 20, WIDTH))


def bart():
    model = transformers.BartForConditionalGeneration(config("BartConfig", BART))
    return Only(model, ("input_ids", "decoder_input_ids"), "logits", {"use_cache": False}), (tokens(), tokens(24))


def whisper_encoder():
    model = transformers.WhisperForConditionalGeneration(config("WhisperConfig", WHISPER))
    return Only(model.model.encoder, ("input_features",), "last_hidden_state"), (torch.randn(1, 80, 400),)


def whisper_decoder():
    model = transformers.WhisperForConditionalGeneration(config("WhisperConfig", WHISPER))
    return Decoder(model.model.decoder, model.proj_out), (tokens(24), torch.randn(1, 100, WIDTH))


def wav2vec2():
    settings = config("Wav2Vec2Config", {**COMMON, "vocab_size": 32, "conv_dim": (256,) * 7, "num_conv_pos_embeddings": 64, "num_conv_pos_embedding_groups": 8, "mask_time_prob": 0.0})
    return Only(transformers.Wav2Vec2ForCTC(settings), ("input_values",), "logits"), (torch.randn(1, 8000),)


def clip_text():
    settings = config("CLIPTextConfig", {**COMMON, "max_position_embeddings": 77, "projection_dim": 256, "eos_token_id": 2})
    return Only(transformers.CLIPTextModelWithProjection(settings), ("input_ids",), "text_embeds"), (tokens(32),)


def clip_vision():
    settings = config("CLIPVisionConfig", {**{k: v for k, v in COMMON.items() if k != "vocab_size"}, "image_size": 160, "patch_size": 16, "projection_dim": 256})
    return Only(transformers.CLIPVisionModelWithProjection(settings), ("pixel_values",), "image_embeds"), (torch.randn(1, 3, 160, 160),)


class Tagger(nn.Module):
    """Embedding, a bidirectional LSTM of two layers, a class for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 256)
        self.lstm = nn.LSTM(256, 256, 2, batch_first=True, bidirectional=True)
        self.classes = nn.Linear(512, 17)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.classes(self.lstm(self.embed(ids))[0])


class Translator(nn.Module):
    """GRU over the source, GRU over the target, attention between them."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(VOCABULARY, 256), nn.Embedding(VOCABULARY, 256)
        self.encoder = nn.GRU(256, 384, batch_first=True)
        self.decoder = nn.GRU(256, 384, batch_first=True)
        self.joined = nn.Linear(768, 256)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        states, last = self.encoder(self.source(source))
        made, _ = self.decoder(self.target(target), last)
        seen = torch.softmax(made @ states.transpose(1, 2) / 20, -1) @ states
        return torch.tanh(self.joined(torch.cat([made, seen], -1))) @ self.target.weight.t()


OTHERS = {
    "t5-encoder": t5_encoder,
    "t5-decoder": t5_decoder,
    "bart": bart,
    "whisper-encoder": whisper_encoder,
    "whisper-decoder": whisper_decoder,
    "wav2vec2": wav2vec2,
    "clip-text": clip_text,
    "clip-vision": clip_vision,
    "lstm-tagger": lambda: (Tagger(), (tokens(),)),
    "gru-seq2seq": lambda: (Translator(), (tokens(), tokens(24))),
}
