"""What chat templates are made of: the names that a template may use, and those where escapes begin.

Functions, filters, tests and methods are those of Jinja 3.1 and of the loaders that render chat templates; variables
are those that loaders and the well-known model families define.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    """
    raise_exception strftime_now namespace range dict caller
    """
)

#: Variables that loaders and model families define; data, never objects with dangerous attributes.
VARIABLES = _words(
    """
    messages tools documents add_generation_prompt bos_token eos_token pad_token unk_token sep_token
    cls_token mask_token loop namespace range dict raise_exception strftime_now caller date_string
    current_date today system_message system_prompt developer_message model_identity builtin_tools
    custom_tools tools_in_user_message enable_thinking thinking thinking_budget reasoning_effort reasoning
    think preserve_thinking clear_thinking keep_past_thinking add_vision_id add_default_system_prompt
    continue_final_message available_tools controls functions function_call tool_choice conversation
    chat_history image_token video_token audio_token image_start_token image_end_token citation_mode
    safety_mode response_format json_schema skip_special_tokens documents_in_system language source_lang
    target_lang source_lang_code target_lang_code user_name bot_name xml_tools python_tools
    convert_tools_to_json role_indicators tool_call_id render_tools_in_user_message enable_citations skill
    instruction query contexts title text input prompt response context question history
    tool_namespace_descriptions reasoning_strength knowledge_cutoff use_json_tooldef image_prompts response_schema
    real_last_index thinking_mode has_tool_sep fallback_strategy add_thoughts developer_instructions
    """
)

#: What Jinja and web frameworks put into every template, and what escapes start from.
ROOTS = _words(
    """
    self lipsum cycler joiner config request url_for get_flashed_messages session g exec eval import open os sys
    subprocess builtins globals locals getattr setattr
    """
)

FILTERS = _words(
    """
    abs batch capitalize count d default dictsort e escape first float forceescape groupby indent int
    items join last length list lower max min reject rejectattr replace reverse round safe select
    selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode wordcount
    wordwrap map format
    """
)

#: Filters whose argument is the name of an attribute.
BY_ATTRIBUTE = _words(
    """
    selectattr rejectattr groupby sort sum unique min max map
    """
)

#: Filters that only give numbers.
NUMBER_FILTERS = _words(
    """
    abs count float int length round wordcount
    """
)

#: Filters that make text, from which a name could be put together.
TEXT_FILTERS = _words(
    """
    capitalize e escape forceescape format join lower replace reverse safe string title trim upper
    urlencode indent truncate wordwrap striptags tojson first last list
    """
)

TESTS = _words(
    """
    boolean callable defined divisibleby eq equalto even false float ge gt greaterthan in integer iterable
    le lessthan lower lt mapping ne none number odd sameas sequence string true undefined upper
    """
)

METHODS = _words(
    """
    strip lstrip rstrip split rsplit splitlines startswith endswith lower upper title capitalize replace
    join items keys values get append extend insert pop update copy count find rfind index isdigit
    isnumeric islower isupper isalpha isalnum isspace partition rpartition removeprefix removesuffix
    setdefault cycle strftime zfill ljust rjust center
    """
)

#: What texts, lists and objects have of their own, which a template may ask for like a key.
OF_TEXTS = _words(
    """
    capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii
    isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip
    maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines
    startswith strip swapcase title translate upper zfill
    """
)
OF_LISTS = _words(
    """
    append clear copy count extend index insert pop remove reverse sort
    """
)
OF_MAPPINGS = _words(
    """
    clear copy fromkeys get items keys pop popitem setdefault update values
    """
)

#: Methods whose result is given data or a number.
DATA_METHODS = _words(
    """
    items keys values get count find index pop copy
    """
)
