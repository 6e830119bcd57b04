"""The rules of the sandbox's chat."""

import pytest

from kellyapi.sandbox.engines.language.chat_rules import reply


def user(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": content} for content in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there", "Hello. What shall we test?"),
        ("good morning!", "Hello. What shall we test?"),
        ("Thanks a lot", "You are welcome."),
        ("Goodbye", "Goodbye."),
        ("What time is it?", "I have no clock, so that replies never change."),
        ("What is 2 + 3 * 4?", "2 + 3 * 4 = 14"),
        ("(1 + 2) / 4 =", "(1 + 2) / 4 = 0.75"),
        ("0.1+0.2", "0.1+0.2 = 0.3"),
        ("-3--5", "-3--5 = 2"),
        ("1/0", "Division by zero has no result."),
        ("9**9**9", "You said: 9**9**9"),
        ("1(2)", "You said: 1(2)"),
        ("(((((((", "You said: ((((((("),
        ("2024-01-02", "You said: 2024-01-02"),
        ("How do you say thank you in Twi?", "“thank you” in Twi is “Medaase”."),
        ("how do you say 'Welcome' in Ewe", "“Welcome” in Ewe is “Wòe zɔ”."),
        ("Translate good night to swahili.", "“good night” in swahili is “Usiku mwema”."),
        ("Translate yes into gaa", "“yes” in gaa is “Hɛɛ”."),
        ("How do you say {model} in Twi?", "I don't know how to say “{model}” in Twi."),
        ("How do you say hello in Klingon?", "I don't know how to say “hello” in Klingon."),
        ("What did I say?", "You have said nothing before that."),
        ("Is the {character} here?", "You asked: Is the {character} here?"),
        ("My cat\nsleeps.", "You said: My cat\nsleeps."),
        ("   ", "There is no message of a user to answer."),
    ],
)
def test_the_first_matching_rule_makes_the_reply(text: str, expected: str) -> None:
    assert reply(user(text)) == "[sandbox] " + expected


def test_a_question_about_itself_names_the_requested_model_and_character() -> None:
    text = reply(user("Are you a robot?"), character="KelyAI", model="{gemini}")
    assert text.endswith("no model. You asked for model {gemini}, character KelyAI.")
    assert reply(user("Who are you?")).endswith("You asked for model none, character nobody in particular.")


def test_the_help_lists_only_working_examples() -> None:
    assert reply(user("Help!")) == reply(user("What can you do?"))
    for example in ("2 + 3 * 4", "How do you say thank you in Twi?", "Who are you?"):
        assert example in reply(user("help"))
        assert "You asked:" not in reply(user(example))
        assert "You said:" not in reply(user(example))


def test_the_reply_is_to_the_last_user_message_and_can_quote_the_one_before() -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        *user("My name is Ama."),
        {"role": "assistant", "content": "Hello"},
        *user("What did I just say?"),
        {"role": "assistant", "content": "1 + 1"},
    ]
    assert reply(talk) == "[sandbox] Before that you said: My name is Ama."


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": "Hello"}], [{"role": "user"}]])
def test_without_a_user_message_the_reply_says_so(messages: list[dict[str, str]]) -> None:
    assert reply(messages) == "[sandbox] There is no message of a user to answer."


def test_a_long_sum_is_not_calculated() -> None:
    long = "+".join(["1"] * 60)
    assert reply(user(long)) == f"[sandbox] You said: {long}"
