"""Everyday phrases, each with the public page that it comes from. This file has data only; `translation` uses it.

A block has a language, a source and the phrases that the source gives, from English, without closing punctuation. If
two English phrases have the same translation, the first one is the translation back into English.
"""

from __future__ import annotations

PHRASES: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "twi",
        "https://github.com/Qhojoblinks-7/akankasa-web/blob/main/src/pages/GreetingsLesson.jsx",
        {
            "Welcome": "Akwaaba",
            "Good morning": "Maakye",
            "Good afternoon": "Maaha",
            "Good evening": "Maadwo",
            "I am fine": "Me ho yɛ",
            "Goodbye": "Nante yie",
            "Thank you": "Medaase",
        },
    ),
    (
        "twi",
        "https://github.com/Mintahandrews/TalkGhana/blob/main/src/locales/twi.ts",
        {"Yes": "Aane", "No": "Daabi", "How are you": "Wo ho te sɛn"},
    ),
    (
        "twi",
        "https://github.com/Mintahandrews/TalkGhana/blob/main/src/components/speech/PhrasesCollection.tsx",
        {"What is your name": "Wo din de sɛn", "How much is it": "Ɛyɛ sɛn"},
    ),
    ("twi", "https://github.com/Khaya-AI/khaya-sdk/blob/main/tests/test_khaya_client.py", {"Hello": "Ɛte sɛn"}),
    ("twi", "https://www.sciltp.com/journals/ics/articles/2603003317", {"Please": "Mepa wo kyɛw"}),
    ("twi", "https://www.dorothybrownsoper.com/recordings-of-the-twi-language", {"Good night": "Dayie"}),
    ("twi", "https://huggingface.co/datasets/chuksDev/npontu-twi/viewer/default/train?p=2", {"Sorry": "Kafra"}),
    (
        "ewe",
        # The source has these from Wiktionary.
        "https://github.com/peterolson/multilingualWords/blob/f2a67765265bffdbe06bc5549df1b7ba24b4d417/src/words/ewe.ts",
        {
            "Good morning": "Ŋdi",
            "Good night": "Dɔ agbe",
            "Welcome": "Wòe zɔ",
            "Goodbye": "Hede nyuie",
            "Thanks": "Akpe",
            "Merry Christmas": "Blunya na wo",
        },
    ),
    (
        "ewe",
        "https://github.com/Mintahandrews/TalkGhana/blob/main/src/locales/ewe.ts",
        {
            "Thank you": "Akpe",
            "Yes": "Ɛ",
            "No": "Ao",
            "How are you": "Aleke nèle",
            "I am fine": "Mele nyuie",
        },
    ),
    (
        "ewe",
        "https://github.com/Mintahandrews/TalkGhana/blob/main/src/components/speech/PhrasesCollection.tsx",
        {
            "What is your name": "Ŋkɔwò ɖe",
            "I need help": "Mehiã kpekpeɖeŋu",
            "How much does this cost": "Esia xɔ nenie",
        },
    ),
    (
        "ewe",
        "http://carletonghana.blogspot.com/2013/05/an-afternoon-and-dinner-with-elvis.html",
        {"Good evening": "Fie na wo"},
    ),
    (
        "gaa",
        # M. E. Kropp Dakubu's Ga-English Dictionary as data, CC BY 4.0.
        "https://github.com/dalry-brown/Ga-Project-Datasets/blob/main/lexicon/dataset.csv",
        {
            "Good morning": "Ojeekoo",
            "Good afternoon": "Minaokoo",
            "Good evening": "Oshwie",
            "Thanks": "Shidaa",
            "Please": "Ofainɛ",
            "Yes": "Hɛɛ",
            "No": "Daabi",
            "Excuse me": "Taflatsɛ",
            "Sorry": "Pee",
            "Well done": "Ayekoo",
        },
    ),
    (
        "gaa",
        "https://www.thepublisheronline.com/ga-mantse-speaks-accra-say-oobak%c9%9b-calls-respect-ga-people",
        {"Welcome": "Oobakɛ"},
    ),
    ("gaa", "http://inkumsah.com/2020/10/03/the-depth-of-the-ga-language-in-ghana/", {"Thank you": "Oyiwaladon"}),
    (
        "gaa",
        "https://github.com/Mintahandrews/TalkGhana/blob/main/src/components/speech/PhrasesCollection.tsx",
        {"What is your name": "Mɛni ji ogbɛi", "I need water": "Miitao nu"},
    ),
    (
        "yor",
        "http://sites.google.com/site/learnyorubafree/adedamola-israel-olofa/basic-yoruba-greetings",
        {
            "Good morning": "Ẹ kú àárọ̀",
            "Good afternoon": "Ẹ kú ọ̀sán",
            "Good night": "Ó dà àárọ̀",
            "Welcome": "Ẹ kú àbọ̀",
            "Goodbye": "Ó dà àbọ̀",
            "Thank you": "O ṣé",
            "Sorry": "Pẹ̀lẹ́",
        },
    ),
    (
        "yor",
        "http://wikitravel.org/en/Yoruba_phrasebook",
        {
            "What is your name": "Kíni orúkọ rẹ",
            "How are you": "Ṣé àlãfíà ni",
            "Yes": "Bẹẹ ni",
            "No": "Bẹẹ kọ",
            "You're welcome": "Ko si nkan kan",
            "Please": "Jọọ",
        },
    ),
    (
        "yor",
        "https://reterdeen.com/10-essential-yoruba-phrases-you-will-definitely-need/",
        {"Hello": "Ẹ n lẹ", "I am hungry": "Ebi n pa mi", "How much is this": "Eelo ni eleyi"},
    ),
    ("yor", "https://thelanguages.com/yoruba/phrases-and-questions", {"Good evening": "Ẹkúalẹ"}),
    (
        "swa",
        "https://swahilitales.com/vocabulary/travel-and-tourism-vocabulary-in-swahili",
        {
            "Good morning": "Habari ya asubuhi",
            "Good evening": "Habari ya jioni",
            "Good night": "Usiku mwema",
            "How are you": "Habari gani",
            "I am fine": "Niko sawa",
            "Thank you": "Asante",
            "Thank you very much": "Asante sana",
            "Yes": "Ndiyo",
            "No": "Hapana",
            "Please": "Tafadhali",
            "Excuse me": "Samahani",
            "Goodbye": "Kwa heri",
            "What is your name": "Jina lako ni nani",
            "Nice to meet you": "Nafurahi kukutana na wewe",
            "I don't understand": "Sielewi",
        },
    ),
    (
        "swa",
        "http://one-penny-trip.com/2014/11/swahili-vocabulary-for-everyone-travel-and-learn/",
        {"Welcome": "Karibu", "No worries": "Hakuna matata"},
    ),
    ("swa", "http://africahousesafaris.blogspot.com/2011/10/learning-lingo.html", {"Hello": "Jambo"}),
    (
        "swa",
        "https://huggingface.co/datasets/Rogendo/English-Swahili-Sentence-Pairs/viewer",
        {"How much is it": "Ni bei gani", "I love you": "Nakupenda"},
    ),
)
