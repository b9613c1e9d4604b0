"""Chat templates of well-known model families, rewritten here: their control tokens and structure, words of our own.

Name -> template. `SIMPLE` are those that differ in the marks around a turn; the others are written out.
"""

from __future__ import annotations

from pathlib import Path

HELPER = "You are a helpful assistant."


def _turns(
    *, user: str, assistant: str, prompt: str, system: str = "", start: str = "{{ bos_token }}", end: str = ""
) -> str:
    """One turn after another; `%` stands for what is said."""
    said = "{{ m['content'] | trim }}"
    parts = [start, "{% for m in messages %}"]
    parts.append("{% if m['role'] == 'user' %}" + user.replace("%", said))
    if system:
        parts.append("{% elif m['role'] == 'system' %}" + system.replace("%", said))
    parts.append("{% elif m['role'] == 'assistant' %}" + assistant.replace("%", said))
    parts += ["{% endif %}{% endfor %}", end, "{% if add_generation_prompt %}" + prompt + "{% endif %}"]
    return "".join(parts)


def _chatml(default: str = "", *, start: str = "") -> str:
    """The ChatML family, with a system prompt of its own where there is none."""
    own = "<|im_start|>system\n" + default + "<|im_end|>\n"
    first = "{% if messages[0]['role'] != 'system' %}" + own + "{% endif %}" if default else ""
    turn = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    return start + first + turn + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"


SIMPLE: dict[str, str] = {
    "chatml": _chatml(),
    "qwen1.5": _chatml(HELPER),
    "qwen2": _chatml("You are an assistant of the Qwen kind."),
    "yi": _chatml(start="{{ bos_token }}"),
    "internlm2": _chatml(start="{{ bos_token }}"),
    "smollm2": _chatml("You are a small and helpful assistant."),
    "orca": _chatml("You are an assistant that explains each step."),
    "phi-4": "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '<|im_sep|>' + m['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
    "llama-3": "{% for m in messages %}{% set content = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{% endif %}",
    "llama-4": "{{ bos_token }}{% for m in messages %}<|header_start|>{{ m.role }}<|header_end|>\n\n"
    "{% if m.content is string %}{{ m.content | trim }}{% else %}{% for c in m.content %}{% if c.type == 'image' %}<|image|>"
    "{% else %}{{ c.text | trim }}{% endif %}{% endfor %}{% endif %}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|header_start|>assistant<|header_end|>\n\n{% endif %}",
    "zephyr": _turns(
        user="<|user|>\n%{{ eos_token }}\n",
        system="<|system|>\n%{{ eos_token }}\n",
        assistant="<|assistant|>\n%{{ eos_token }}\n",
        prompt="<|assistant|>\n",
        start="",
    ),
    "tinyllama": _turns(
        user="<|user|>\n%{{ eos_token }}\n",
        system="<|system|>\n%{{ eos_token }}\n",
        assistant="<|assistant|>\n%{{ eos_token }}\n",
        prompt="<|assistant|>",
        start="",
    ),
    "phi-3": _turns(
        user="<|user|>\n%<|end|>\n",
        system="<|system|>\n%<|end|>\n",
        assistant="<|assistant|>\n%<|end|>\n",
        prompt="<|assistant|>\n",
    ),
    "vicuna": _turns(
        user="USER: % ",
        system="%\n\n",
        assistant="ASSISTANT: %{{ eos_token }}",
        prompt="ASSISTANT:",
        start="{% if messages[0]['role'] != 'system' %}A user and an assistant talk, and the assistant helps.\n\n{% endif %}",
    ),
    "alpaca": _turns(
        user="### Instruction:\n%\n\n",
        system="%\n\n",
        assistant="### Response:\n%{{ eos_token }}\n\n",
        prompt="### Response:\n",
        start="{% if messages[0]['role'] != 'system' %}Here is a task. Write a response that does it.\n\n{% endif %}",
    ),
    "solar": _turns(
        user="### User:\n%\n\n",
        system="### System:\n%\n\n",
        assistant="### Assistant:\n%\n\n",
        prompt="### Assistant:\n",
    ),
    "stablelm": _turns(
        user="<|user|>\n%<|endoftext|>\n",
        system="<|system|>\n%<|endoftext|>\n",
        assistant="<|assistant|>\n%<|endoftext|>\n",
        prompt="<|assistant|>\n",
        start="",
    ),
    "openchat": _turns(
        user="GPT4 Correct User: %<|end_of_turn|>",
        system="GPT4 Correct System: %<|end_of_turn|>",
        assistant="GPT4 Correct Assistant: %<|end_of_turn|>",
        prompt="GPT4 Correct Assistant:",
    ),
    "falcon": _turns(
        user="User: %\n", system="System: %\n", assistant="Falcon: %\n", prompt="Falcon:", start=""
    ),
    "falcon-3": _turns(
        user="<|user|>\n%\n",
        system="<|system|>\n%\n",
        assistant="<|assistant|>\n%{{ eos_token }}\n",
        prompt="<|assistant|>\n",
    ),
    "baichuan-2": _turns(
        user="<reserved_106>%", system="%", assistant="<reserved_107>%", prompt="<reserved_107>", start=""
    ),
    "chatglm-3": _turns(
        user="<|user|>\n %",
        system="<|system|>\n %",
        assistant="<|assistant|>\n %",
        prompt="<|assistant|>",
        start="[gMASK]<sop>",
    ),
    "glm-4": _turns(
        user="<|user|>\n%",
        system="<|system|>\n%",
        assistant="<|assistant|>\n%",
        prompt="<|assistant|>",
        start="[gMASK]<sop>",
    ),
    "minichat": _turns(
        user="[|User|] %</s>",
        system="%",
        assistant="[|Assistant|] %</s>",
        prompt="[|Assistant|]",
        start="<s> ",
    ),
    "command-r": _turns(
        user="<|START_OF_TURN_TOKEN|><|USER_TOKEN|>%<|END_OF_TURN_TOKEN|>",
        system="<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>%<|END_OF_TURN_TOKEN|>",
        assistant="<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>%<|END_OF_TURN_TOKEN|>",
        prompt="<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    ),
    "olmo-2": _turns(
        user="<|user|>\n%\n",
        system="<|system|>\n%\n",
        assistant="<|assistant|>\n%{{ eos_token }}\n",
        prompt="<|assistant|>\n",
    ),
    "nemotron-4": _turns(
        user="<extra_id_1>User\n%\n",
        system="<extra_id_0>System\n%\n",
        assistant="<extra_id_1>Assistant\n%\n",
        prompt="<extra_id_1>Assistant\n",
        start="",
    ),
    "exaone": _turns(
        user="[|user|]%\n",
        system="[|system|]%[|endofturn|]\n",
        assistant="[|assistant|]%[|endofturn|]\n",
        prompt="[|assistant|]",
        start="",
    ),
    "minicpm": _turns(user="<用户>%", system="%", assistant="<AI>%", prompt="<AI>", start=""),
    "deepseek-llm": _turns(
        user="User: %\n\n", system="%\n\n", assistant="Assistant: %{{ eos_token }}", prompt="Assistant:"
    ),
    "minimax": _turns(
        user="<beginning_of_sentence>user name=user\n%<end_of_sentence>\n",
        system="<beginning_of_sentence>system setting=assistant\n%<end_of_sentence>\n",
        assistant="<beginning_of_sentence>ai name=assistant\n%<end_of_sentence>\n",
        prompt="<beginning_of_sentence>ai name=assistant\n",
        start="",
    ),
}

_CALLS = (
    "{% for c in m.tool_calls %}{% set f = c.function if c.function else c %}<tool_call>\n"
    '{"name": "{{ f.name }}", "arguments": {{ f.arguments if f.arguments is string else f.arguments | tojson }}}'
    "\n</tool_call>{% endfor %}"
)
_ALTERNATE = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('The roles have to take turns, the user first.') }}{% endif %}"
)
_FIRST = (
    "{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}"
    "{% set loop_messages = messages[1:] %}{% else %}{% set loop_messages = messages %}{% endif %}"
)

LARGER: dict[str, str] = {
    "llama-2": _FIRST
    + "{% for m in loop_messages %}"
    + _ALTERNATE
    + "{% if loop.index0 == 0 and system_message is defined %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n'"
    " + m['content'] %}{% else %}{% set content = m['content'] %}{% endif %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}"
    "{% endif %}{% endfor %}",
    "mistral-v1": "{{ bos_token }}"
    + _FIRST
    + "{% for m in loop_messages %}{% if m['role'] == 'user' %}[INST] {% if loop.first and system_message is defined %}"
    "{{ system_message + '\n\n' }}{% endif %}{{ m['content'] }} [/INST]{% else %}{{ m['content'] + eos_token }}"
    "{% endif %}{% endfor %}",
    "mixtral": "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}",
    "mistral-v3": "{{ bos_token }}"
    + _FIRST
    + "{% set users = loop_messages | selectattr('role', 'equalto', 'user') | list %}{% for m in loop_messages %}"
    "{% if m['role'] == 'user' %}{% if tools is not none and m == users[-1] %}[AVAILABLE_TOOLS] {{ tools | tojson }}"
    "[/AVAILABLE_TOOLS]{% endif %}[INST] {% if loop.last and system_message is defined %}{{ system_message + '\n\n' }}"
    "{% endif %}{{ m['content'] }}[/INST]{% elif m.tool_calls is defined and m.tool_calls is not none %}[TOOL_CALLS] ["
    "{% for c in m.tool_calls %}{{ c.function | tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]{{ eos_token }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] | trim + eos_token }}{% elif m['role'] == 'tool' %}"
    '[TOOL_RESULTS] {"content": {{ m.content | string }}}[/TOOL_RESULTS]{% endif %}{% endfor %}',
    "mistral-nemo": "{{ bos_token }}"
    + _FIRST
    + "{% set ns = namespace(index=0) %}{% for m in loop_messages %}{% if not (m.role == 'tool' or (m.tool_calls is defined"
    " and m.tool_calls is not none)) %}{% if (m['role'] == 'user') != (ns.index % 2 == 0) %}"
    "{{ raise_exception('Turns have to alternate.') }}{% endif %}{% set ns.index = ns.index + 1 %}{% endif %}{% endfor %}"
    "{% for m in loop_messages %}{% if m.role == 'user' %}{% if loop.last and system_message is defined %}"
    "{{ '[INST]' + system_message + '\n\n' + m.content + '[/INST]' }}{% else %}{{ '[INST]' + m.content + '[/INST]' }}"
    "{% endif %}{% elif m.role == 'assistant' and m.content %}{{ m.content + eos_token }}{% endif %}{% endfor %}",
    "gemma-2": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('There is no system role.') }}"
    "{% endif %}{% for m in messages %}{% if m['role'] == 'assistant' %}{% set role = 'model' %}{% else %}"
    "{% set role = m['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
    "gemma-3": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% if messages[0]['content'] is string %}"
    "{% set prefix = messages[0]['content'] + '\n\n' %}{% else %}{% set prefix = messages[0]['content'][0]['text'] + '\n\n' %}"
    "{% endif %}{% set rest = messages[1:] %}{% else %}{% set prefix = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + (prefix if loop.first else '') }}{% if m['content'] is string %}"
    "{{ m['content'] | trim }}{% elif m['content'] is iterable %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "{{ '<start_of_image>' }}{% elif c['type'] == 'text' %}{{ c['text'] | trim }}{% endif %}{% endfor %}"
    "{% else %}{{ raise_exception('What is this?') }}{% endif %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
    "phi-2": "{% for m in messages %}{% if m.role == 'user' %}Instruct: {{ m.content }}\n{% elif m.role == 'system' %}"
    "{{ m.content }}\n{% else %}Output: {{ m.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}Output:{% endif %}",
    "phi-4-mini": "{% for m in messages %}{% if m['role'] == 'system' and 'tools' in m and m['tools'] is not none %}"
    "{{ '<|' + m['role'] + '|>' + m['content'] + '<|tool|>' + m['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}"
    "{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}",
    "qwen2.5-tools": "{% if tools %}<|im_start|>system\n{% if messages[0].role == 'system' %}{{ messages[0].content }}{% else %}"
    + HELPER
    + "{% endif %}\n\n# Tools\n\nThese functions may be called:\n<tools>{% for t in tools %}\n{{ t | tojson }}{% endfor %}\n</tools>"
    "\n\nTo call one, write its name and arguments as JSON within <tool_call></tool_call>.<|im_end|>\n"
    "{% elif messages[0].role == 'system' %}<|im_start|>system\n{{ messages[0].content }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' or (m.role == 'system' and not loop.first) or (m.role == 'assistant' and"
    " not m.tool_calls) %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% elif m.role == 'assistant' %}"
    "<|im_start|>assistant{% if m.content %}\n{{ m.content }}{% endif %}\n"
    + _CALLS
    + "<|im_end|>\n{% elif m.role == 'tool' %}{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}"
    "<|im_start|>user{% endif %}\n<tool_response>\n{{ m.content }}\n</tool_response>{% if loop.last or"
    " messages[loop.index0 + 1].role != 'tool' %}<|im_end|>\n{% endif %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "deepseek-r1": "{% set ns = namespace(is_first=false, system_prompt='') %}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{% set ns.system_prompt = m['content'] %}{% endif %}{% endfor %}"
    "{{ bos_token }}{{ ns.system_prompt }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '<｜User｜>' + m['content'] }}{% endif %}{% if m['role'] == 'assistant' and m['content'] %}"
    "{% set content = m['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}",
    "granite": "{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}"
    "{% set rest = messages[1:] %}{% else %}{% set system_message = 'Knowledge ends in April 2024.\nToday is '"
    " + strftime_now('%B %d, %Y') + '.\nYou are a model of the Granite kind.' %}{% if documents %}"
    "{% set system_message = system_message + ' Answer from the documents that are given.' %}{% endif %}"
    "{% set rest = messages %}{% endif %}{{ '<|start_of_role|>system<|end_of_role|>' + system_message + '<|end_of_text|>\n' }}"
    "{% if tools %}{{ '<|start_of_role|>tools<|end_of_role|>' }}{{ tools | tojson(indent=4) }}{{ '<|end_of_text|>\n' }}{% endif %}"
    "{% if documents %}{% for d in documents %}{{ '<|start_of_role|>document<|end_of_role|>' + d['text'] + '<|end_of_text|>\n' }}"
    "{% endfor %}{% endif %}{% for m in rest %}{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] +"
    " '<|end_of_text|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_of_role|>assistant' }}{% if controls %}"
    "{{ ' ' + controls | tojson }}{% endif %}{{ '<|end_of_role|>' }}{% endif %}",
    "hermes-tools": "{{ bos_token }}{% if tools %}{{ '<|im_start|>system\n' }}You can call functions. Their signatures stand within "
    "<tools></tools>: <tools> {% for t in tools %}{{ (t.function if t.function is defined else t) | tojson }}\n{% endfor %}"
    "</tools> Write each call as JSON within <tool_call></tool_call>.<|im_end|>\n{% endif %}{% for m in messages %}"
    "{% if m.role == 'tool' %}<|im_start|>tool\n<tool_response>\n{{ m.content }}\n</tool_response><|im_end|>\n"
    "{% elif m.tool_calls %}<|im_start|>assistant\n"
    + _CALLS
    + "<|im_end|>\n{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "channels": "{% macro kind(p) %}{% if p.type == 'array' %}{{ kind(p['items']) }}[]{% elif p.type == 'string' %}string"
    "{% elif p.type in ['number', 'integer'] %}number{% else %}any{% endif %}{% endmacro %}"
    "<|start|>system<|message|>You are a large language model.\nCurrent date: {{ strftime_now('%Y-%m-%d') }}\n\n"
    "Reasoning: {{ reasoning_effort | default('medium') }}\n\n# Valid channels: analysis, commentary, final.<|end|>"
    "{% if messages[0].role in ['developer', 'system'] %}{% set instructions = messages[0].content %}{% set rest = messages[1:] %}"
    "{% else %}{% set instructions = '' %}{% set rest = messages %}{% endif %}{% if instructions or tools %}"
    "<|start|>developer<|message|>{% if instructions %}# Instructions\n\n{{ instructions }}\n\n{% endif %}{% if tools %}# Tools\n\n"
    "namespace functions {\n{% for t in tools %}// {{ t.function.description }}\ntype {{ t.function.name }} = (_: {\n"
    "{% for n, p in t.function.parameters.properties.items() %}\n// {{ p.description }}\n{{ n }}: {{ kind(p) }},{% endfor %}"
    "\n}) => any;\n{% endfor %}} // namespace functions{% endif %}<|end|>{% endif %}{% for m in rest %}"
    "{% if m.role == 'assistant' %}{% if m.tool_calls %}{% set c = m.tool_calls[0].function %}<|start|>assistant to=functions."
    "{{ c.name }}<|channel|>commentary json<|message|>{{ c.arguments | tojson }}<|call|>{% else %}{% if m.thinking is defined %}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}<|start|>assistant<|channel|>final"
    "<|message|>{{ m.content }}<|end|>{% endif %}{% elif m.role == 'tool' %}<|start|>functions to=assistant<|channel|>commentary"
    "<|message|>{{ m.content | tojson }}<|end|>{% elif m.role == 'user' %}<|start|>user<|message|>{{ m.content }}<|end|>"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}",
    "kimi": "{% macro said(m) %}{% if m.content is string %}{{ m.content }}{% elif m.content is not none %}{% for c in m.content %}"
    "{% if c.type == 'image' %}<|media_start|>image<|media_content|><|media_pad|><|media_end|>{% else %}{{ c.text }}{% endif %}"
    "{% endfor %}{% endif %}{% endmacro %}{% if tools %}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>"
    "{% endif %}{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_system|>system<|im_middle|>"
    + HELPER
    + "<|im_end|>{% endif %}{% set name = m.get('name', m.role) %}{% if m.role == 'user' %}<|im_user|>{{ name }}<|im_middle|>"
    "{% elif m.role == 'assistant' %}<|im_assistant|>{{ name }}<|im_middle|>{% else %}<|im_system|>{{ name }}<|im_middle|>"
    "{% endif %}{{ said(m) }}{% for c in m.tool_calls or [] %}<|tool_call_begin|>{{ c.id }}<|tool_call_argument_begin|>"
    "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}<|tool_call_end|>{% endfor %}"
    "<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}",
    "glm-4.5": "[gMASK]<sop>{% macro visible(c) %}{% if c is string %}{{ c }}{% else %}{% for p in c %}{% if p.type == 'text' %}"
    "{{ p.text }}{% endif %}{% endfor %}{% endif %}{% endmacro %}{% for m in messages %}{% if m.role == 'user' %}<|user|>\n"
    "{{ visible(m.content) }}{{ '/nothink' if enable_thinking is defined and not enable_thinking and"
    " not visible(m.content).endswith('/nothink') else '' }}{% elif m.role == 'assistant' %}<|assistant|>"
    "{% set content = visible(m.content) %}{% if '</think>' in content %}"
    "{% set thoughts = content.split('</think>')[0].split('<think>')[-1] %}{% set content = content.split('</think>')[-1] %}"
    "{% endif %}{% if thoughts is defined %}\n<think>{{ thoughts.strip() }}</think>{% else %}\n<think></think>{% endif %}"
    "{{ '\n' + content.strip() }}{% else %}<|{{ m.role }}|>\n{{ visible(m.content) }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
}

_FILES = Path(__file__).resolve().parent.parent / "vectors" / "templates"

FAMILIES: dict[str, str] = {
    **SIMPLE,
    **LARGER,
    **{
        {
            "llama": "llama-3.1",
            "qwen": "qwen3",
            "deepseek": "deepseek-v3",
            "phi": "phi-3.5",
            "gemma": "gemma",
        }.get(path.stem, f"{path.stem} (file)"): path.read_text(encoding="utf-8")
        for path in sorted(_FILES.glob("*.jinja"))
    },
}
