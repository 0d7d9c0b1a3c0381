"""A tiny Llama model with random weights, half a megabyte: a real engine serves it like any other, and what it says
is noise. The same file each time.

usage: make_model.py FILE.gguf
"""

import sys

import gguf
import numpy

WIDTH = 64
HEADS = 4
LAYERS = 2
FEED_FORWARD = 2 * WIDTH
# The longest prompt and answer together, in tokens: a stream that nobody cuts short takes seconds.
CONTEXT = 16384

SPECIAL = {"<unk>": gguf.TokenType.UNKNOWN, "<s>": gguf.TokenType.CONTROL, "</s>": gguf.TokenType.CONTROL}
BYTES = {f"<0x{byte:02X}>": gguf.TokenType.BYTE for byte in range(256)}
# Every byte is a token, so an answer is mostly broken UTF-8: the engine holds pieces of characters back, and a chunk
# carries now one token, now several.
VOCABULARY = SPECIAL | BYTES

CHAT = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def shapes():
    """The name and the shape of every tensor."""
    yield "token_embd", (len(VOCABULARY), WIDTH)
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}", (WIDTH,)
        for matrix in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{matrix}", (WIDTH, WIDTH)
        for matrix in ("ffn_gate", "ffn_up"):
            yield f"blk.{layer}.{matrix}", (FEED_FORWARD, WIDTH)
        yield f"blk.{layer}.ffn_down", (WIDTH, FEED_FORWARD)
    yield "output_norm", (WIDTH,)
    yield "output", (len(VOCABULARY), WIDTH)


def describe(writer):
    """Everything that the engine must know but the weights."""
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)

    names = list(VOCABULARY)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(names)
    writer.add_token_types(list(VOCABULARY.values()))
    writer.add_token_scores([0.0] * len(names))
    writer.add_unk_token_id(names.index("<unk>"))
    writer.add_bos_token_id(names.index("<s>"))
    writer.add_eos_token_id(names.index("</s>"))
    writer.add_chat_template(CHAT)


def write(path):
    """Writes the model to a file."""
    weights = numpy.random.default_rng(seed=1)
    writer = gguf.GGUFWriter(path, "llama")
    describe(writer)
    for name, shape in shapes():
        scale = 0.1 * weights.standard_normal(shape, dtype=numpy.float32)
        tensor = numpy.ones(shape, numpy.float32) if name.endswith("_norm") else scale
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1])
