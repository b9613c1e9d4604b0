"""Rules about what is run and offered: code and commands put together, agents, servers, clients, files."""

from __future__ import annotations

from lockflight.core.findings import Severity
from lockflight.scan.python.when import (
    Rule,
    binds_all,
    built_text,
    cors_any,
    dynamic,
    is_false,
    is_none,
    is_true,
    keyword_true,
    keywords_absent,
    no_docker,
    safety_off,
    shell,
    sql_built,
    template_unescaped,
    unbounded,
)

_AGENT = ("CWE-94", "LLM06:2025", "AML.T0053")
_HTTP = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_REQUESTS = frozenset(
    {f"requests.{verb}" for verb in _HTTP} | {f"requests.Session().{verb}" for verb in _HTTP}
)
_HTTPX = frozenset({f"httpx.{verb}" for verb in (*_HTTP, "Client", "AsyncClient", "stream")})

RUN_RULES: tuple[Rule, ...] = (
    Rule(
        "LF2430",
        "dynamic-code",
        Severity.MEDIUM,
        "{call} runs code that is put together at run time.",
        "Use a table of functions, ast.literal_eval or a parser for what may be written.",
        ("CWE-95", "AML.T0050"),
        names=frozenset({"eval", "exec"}),
        when=dynamic(),
        subsumed=True,
    ),
    Rule(
        "LF2431",
        "shell",
        Severity.HIGH,
        "{call} hands a command line that is put together at run time to a shell.",
        "Pass a list of arguments, without a shell.",
        ("CWE-78", "AML.T0050"),
        names=frozenset({f"subprocess.{f}" for f in ("run", "call", "check_call", "check_output", "Popen")}),
        when=shell,
        subsumed=True,
    ),
    Rule(
        "LF2431",
        "shell-command",
        Severity.HIGH,
        "{call} hands a command line that is put together at run time to a shell.",
        "Use subprocess.run with a list of arguments.",
        ("CWE-78", "AML.T0050"),
        names=frozenset(
            {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
            | {"asyncio.create_subprocess_shell", "commands.getoutput", "pty.spawn"}
        ),
        when=dynamic(),
        subsumed=True,
    ),
    Rule(
        "LF2432",
        "sql-built",
        Severity.MEDIUM,
        "{call} runs SQL that is put together from parts.",
        "Pass the values as parameters of the statement.",
        ("CWE-89",),
        names=frozenset({"pandas.read_sql", "pandas.read_sql_query", "sqlalchemy.text"}),
        methods=frozenset({"execute", "executemany", "executescript", "read_sql", "read_sql_query"}),
        when=sql_built,
        subsumed=True,
    ),
    Rule(
        "LF2433",
        "template-unescaped",
        Severity.LOW,
        "{call} makes a template environment that does not escape what it renders.",
        "Pass autoescape=select_autoescape(); for templates of others use ImmutableSandboxedEnvironment.",
        ("CWE-79", "CWE-1336", "LLM05:2025"),
        names=frozenset({"jinja2.Environment"}),
        when=template_unescaped,
    ),
    Rule(
        "LF2434",
        "template-dynamic",
        Severity.HIGH,
        "{call} compiles a template that is put together at run time: templates can run code.",
        "Keep the template fixed and pass values to render(); else use jinja2.sandbox.ImmutableSandboxedEnvironment.",
        ("CWE-1336", "LLM05:2025"),
        names=frozenset({"jinja2.Template", "mako.template.Template", "flask.render_template_string"}),
        when=lambda call: built_text(call.argument(0)),
        subsumed=True,
    ),
    Rule(
        "LF2450",
        "agent-runs-code",
        Severity.HIGH,
        "{call} gives the model an interpreter or a shell on this machine.",
        "Run the model's code in a sandbox without network and secrets, or give it narrow tools.",
        _AGENT,
        names=frozenset(
            {f"langchain_experimental.utilities.{n}" for n in ("PythonREPL", "python.PythonREPL")}
            | {f"langchain_experimental.tools.{n}" for n in ("PythonREPLTool", "PythonAstREPLTool")}
            | {
                f"langchain_experimental.tools.python.tool.{n}"
                for n in ("PythonREPLTool", "PythonAstREPLTool")
            }
            | {
                "langchain_community.tools.ShellTool",
                "langchain.tools.ShellTool",
                "langchain.tools.PythonREPLTool",
            }
            | {"langchain_community.tools.shell.ShellTool", "langchain_community.tools.shell.tool.ShellTool"}
            | {"langchain_experimental.llm_bash.bash.BashProcess", "langchain.python.PythonREPL"}
            | {"llama_index.tools.code_interpreter.CodeInterpreterToolSpec"}
            | {"autogen.coding.LocalCommandLineCodeExecutor"}
            | {"autogen_ext.code_executors.local.LocalCommandLineCodeExecutor"}
            | {"smolagents.LocalPythonExecutor", "smolagents.PythonInterpreterTool"}
        ),
    ),
    Rule(
        "LF2451",
        "dangerous-flag",
        Severity.HIGH,
        "{call} is told to allow dangerous code or requests of the model.",
        "Remove the flag; give the model a narrow tool instead.",
        _AGENT,
        methods=frozenset(
            {
                "create_pandas_dataframe_agent",
                "create_csv_agent",
                "create_spark_dataframe_agent",
                "create_python_agent",
            }
            | {"RequestsGetTool", "RequestsPostTool", "create_openapi_agent", "RequestsToolkit", "from_llm"}
            | {"GraphCypherQAChain", "OpenAPIToolkit"}
        ),
        when=lambda call: any(
            is_true(call.keyword(flag))
            for flag in ("allow_dangerous_code", "allow_dangerous_requests", "allow_dangerous_tools")
        ),
    ),
    Rule(
        "LF2451",
        "agent-without-container",
        Severity.HIGH,
        "{call} runs the model's code on this machine: use_docker is False.",
        "Run the model's code in a container without network and secrets.",
        _AGENT,
        methods=frozenset({"UserProxyAgent", "ConversableAgent", "AssistantAgent"}),
        when=no_docker,
    ),
    Rule(
        "LF2452",
        "agent-unbounded",
        Severity.LOW,
        "{call} lets an agent take any number of steps.",
        "Set max_iterations or max_execution_time.",
        ("CWE-770", "LLM10:2025", "AML.T0034.002"),
        methods=frozenset({"AgentExecutor", "initialize_agent", "from_agent_and_tools"}),
        when=unbounded,
    ),
    Rule(
        "LF2453",
        "safety-checker-off",
        Severity.MEDIUM,
        "{call} switches the model's safety checker off.",
        "Keep the safety checker, or put a checker of your own behind the model and record it as `safety-policy`.",
        ("CWE-693",),
        methods=frozenset({"from_pretrained", "from_single_file"}),
        when=safety_off,
    ),
    Rule(
        "LF2460",
        "tls-unverified",
        Severity.HIGH,
        "{call} does not verify the server's certificate.",
        "Remove verify=False; name a CA file where the server has a private CA.",
        ("CWE-295",),
        names=_REQUESTS | _HTTPX | {"requests.request", "aiohttp.TCPConnector"},
        when=lambda call: any(is_false(call.keyword(k)) for k in ("verify", "ssl", "verify_ssl")),
    ),
    Rule(
        "LF2460",
        "tls-unverified-context",
        Severity.HIGH,
        "{call} makes a TLS context that verifies nothing.",
        "Use ssl.create_default_context().",
        ("CWE-295",),
        names=frozenset({"ssl._create_unverified_context", "ssl._create_stdlib_context"}),
    ),
    Rule(
        "LF2461",
        "request-without-timeout",
        Severity.LOW,
        "{call} without a timeout can wait for ever.",
        "Pass timeout= in seconds.",
        ("CWE-400",),
        names=_REQUESTS,
        when=keywords_absent("timeout"),
    ),
    Rule(
        "LF2462",
        "bind-all",
        Severity.LOW,
        "{call} listens on every network interface.",
        "Bind to 127.0.0.1 and let a proxy with authentication face the network.",
        ("CWE-605",),
        names=frozenset({"uvicorn.run", "gradio.Interface().launch"}),
        methods=frozenset({"run", "launch", "bind", "serve", "run_simple", "TCPSite"}),
        when=binds_all,
    ),
    Rule(
        "LF2463",
        "public-share",
        Severity.MEDIUM,
        "{call} with share=True opens a public tunnel to this process.",
        "Remove share=True; deploy behind authentication.",
        ("CWE-668",),
        methods=frozenset({"launch"}),
        when=keyword_true("share"),
    ),
    Rule(
        "LF2464",
        "debug-server",
        Severity.MEDIUM,
        "{call} with debug=True lets whoever can reach an error page run code.",
        "Remove debug=True.",
        ("CWE-489",),
        names=frozenset({"flask.Flask().run"}),
        when=keyword_true("debug"),
    ),
    Rule(
        "LF2465",
        "cors-any-origin",
        Severity.MEDIUM,
        "{call} lets every web site call this service with its users' credentials.",
        "Name the origins that may call.",
        ("CWE-942",),
        methods=frozenset({"add_middleware", "CORSMiddleware"}),
        when=cors_any,
    ),
    Rule(
        "LF2470",
        "mktemp",
        Severity.LOW,
        "{call} names a file that somebody else can create first.",
        "Use tempfile.mkstemp or NamedTemporaryFile.",
        ("CWE-377",),
        names=frozenset({"tempfile.mktemp", "os.tempnam", "os.tmpnam"}),
    ),
    Rule(
        "LF2471",
        "tar-extract",
        Severity.MEDIUM,
        "{call} without a filter can write outside the folder.",
        "Pass filter='data'.",
        ("CWE-22", "AML.T0011.000"),
        names=frozenset(
            {
                f"tarfile.{opened}().{f}"
                for opened in ("open", "TarFile", "TarFile.open")
                for f in ("extractall", "extract")
            }
        ),
        when=lambda call: call.keyword("filter") is None or is_none(call.keyword("filter")),
    ),
)
