"""The rules of the `code` check as one table: what is called how, why that is bad, what to write instead.

A rule names functions by their full dotted names (`names`), or methods of any receiver (`methods`), and may ask
something of the arguments (`when`). Rules about model output that reaches a sink are in `_code_flow`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockflight.core.findings import Confidence, Severity
from lockflight.scan._code_when import (
    CallView,
    binds_all,
    built_text,
    constant,
    cors_any,
    dynamic,
    keyword_is,
    keyword_is_not,
    keywords_absent,
    no_docker,
    pipeline_unpinned,
    safety_off,
    shell,
    sql_built,
    template_unescaped,
    torch_hub,
    unbounded,
    unpinned_hub,
    unsafe_yaml,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: LF24xx, the class of the finding.
        rule: its id within the check.
        severity: how bad.
        message: one sentence; `{call}` is the name of what is called.
        fix: what to write instead.
        ids: CWE, OWASP LLM Top 10 (2025) and MITRE ATLAS identifiers.
        names: full names of functions.
        methods: last parts of names, whatever stands before them.
        when: what must hold of the arguments.
        confidence: how sure a match is.
    """

    code: str
    rule: str
    severity: Severity
    message: str
    fix: str
    ids: tuple[str, ...]
    names: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    when: Callable[[CallView], bool] = lambda _: True
    confidence: Confidence = Confidence.HIGH

    def matches(self, call: CallView) -> str:
        """The name under which the rule matches the call, empty when it does not."""
        named = sorted(self.names & call.names)
        methods = sorted(self.methods & call.lasts)
        shown = named[0] if named else methods[0] if methods else ""
        return shown.replace("()", "") if shown and self.when(call) else ""


_SUPPLY = ("CWE-502", "LLM03:2025", "AML.T0011.000")
_REMOTE = ("CWE-829", "LLM03:2025", "AML.T0010.001")
_EXECUTE = ("CWE-94", "AML.T0050")
_AGENT = ("CWE-94", "LLM06:2025", "AML.T0053")
_SAFETENSORS = "Use safetensors, or scan the file with `lockflight scan` and load it through `lockflight.load`."
_HTTP = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_REQUESTS = frozenset({f"requests.{verb}" for verb in _HTTP} | {f"requests.Session().{verb}" for verb in _HTTP})
_HTTPX = frozenset(
    {f"httpx.{verb}" for verb in (*_HTTP, "Client", "AsyncClient", "stream")}
)

RULES: tuple[Rule, ...] = (
    Rule(
        "LF2410",
        "pickle-load",
        Severity.HIGH,
        "{call} runs code that the loaded data names.",
        _SAFETENSORS,
        _SUPPLY,
        names=frozenset(
            {f"{m}.{f}" for m in ("pickle", "_pickle", "cPickle", "cloudpickle", "dill") for f in ("load", "loads")}
            | {f"{m}.Unpickler().load" for m in ("pickle", "_pickle", "cPickle", "dill")}
            | {"six.moves.cPickle.load", "six.moves.cPickle.loads", "pandas.read_pickle", "shelve.open"}
            | {"marshal.load", "marshal.loads", "jsonpickle.decode", "dill.load_session", "dill.load_module"}
            | {"torch.package.PackageImporter().load_pickle", "pickle5.load", "pickle5.loads"}
        ),
    ),
    Rule(
        "LF2411",
        "torch-load",
        Severity.HIGH,
        "{call} without weights_only=True runs code that the checkpoint names.",
        "Pass weights_only=True with torch 2.6 or later, or use safetensors.",
        (*_SUPPLY, "CVE-2025-32434"),
        names=frozenset({"torch.load", "torch.serialization.load"}),
        when=keyword_is_not("weights_only", True),  # noqa: FBT003
    ),
    Rule(
        "LF2412",
        "joblib-load",
        Severity.HIGH,
        "{call} unpickles the file: it runs code that the file names.",
        _SAFETENSORS,
        _SUPPLY,
        names=frozenset(
            {"joblib.load", "sklearn.externals.joblib.load", "mlflow.pyfunc.load_model", "mlflow.sklearn.load_model"}
            | {"mlflow.pytorch.load_model", "mlflow.xgboost.load_model", "mlflow.lightgbm.load_model"}
            | {"fairseq.checkpoint_utils.load_model_ensemble", "fastai.learner.load_learner"}
            | {"fastai.vision.all.load_learner"}
        ),
    ),
    Rule(
        "LF2413",
        "numpy-pickle",
        Severity.HIGH,
        "{call} with allow_pickle=True runs code that an object array names.",
        "Save arrays of numbers and load them without allow_pickle.",
        _SUPPLY,
        names=frozenset({"numpy.load", "numpy.lib.npyio.load", "numpy.lib.format.read_array"}),
        when=keyword_is("allow_pickle", True),  # noqa: FBT003
    ),
    Rule(
        "LF2414",
        "yaml-load",
        Severity.HIGH,
        "{call} builds any Python object that the document names.",
        "Use yaml.safe_load.",
        ("CWE-502", "LLM03:2025"),
        names=frozenset({"yaml.load", "yaml.load_all"}),
        when=unsafe_yaml,
    ),
    Rule(
        "LF2414",
        "yaml-unsafe-load",
        Severity.HIGH,
        "{call} builds any Python object that the document names.",
        "Use yaml.safe_load.",
        ("CWE-502", "LLM03:2025"),
        names=frozenset({"yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"}),
    ),
    Rule(
        "LF2415",
        "keras-unsafe",
        Severity.HIGH,
        "{call} lets a Keras file bring code of its own.",
        "Leave safe_mode at True, and do not enable unsafe deserialisation.",
        (*_SUPPLY, "CVE-2024-3660"),
        methods=frozenset({"load_model", "model_from_json", "deserialize_keras_object"}),
        when=keyword_is("safe_mode", False),  # noqa: FBT003
    ),
    Rule(
        "LF2415",
        "keras-enable-unsafe",
        Severity.HIGH,
        "{call} lets every Keras file bring code of its own.",
        "Remove the call; register the custom objects that the model needs.",
        _SUPPLY,
        names=frozenset({"keras.config.enable_unsafe_deserialization"}),
        methods=frozenset({"enable_unsafe_deserialization"}),
    ),
    Rule(
        "LF2416",
        "dangerous-deserialization",
        Severity.HIGH,
        "{call} with allow_dangerous_deserialization=True unpickles the index.",
        "Rebuild the index from its documents, or keep it in a store that holds no pickle.",
        _SUPPLY,
        methods=frozenset({"load_local", "load", "from_file", "from_bytes", "load_from_disk", "deserialize_from_bytes"}),
        when=keyword_is("allow_dangerous_deserialization", True),  # noqa: FBT003
    ),
    Rule(
        "LF2420",
        "trust-remote-code",
        Severity.HIGH,
        "trust_remote_code=True runs Python from the model's or data set's repository.",
        "Use an architecture of the library, or put the code into the release as an asset with the role `code`.",
        _REMOTE,
        names=frozenset({"transformers.pipeline", "datasets.load_dataset", "load_dataset"}),
        methods=frozenset(
            {"from_pretrained", "from_config", "pipeline", "load_dataset", "SentenceTransformer", "LLM", "load_metric"}
            | {"load", "from_model_id", "from_hf_pretrained", "CrossEncoder", "HuggingFaceEmbeddings"}
        ),
        when=keyword_is("trust_remote_code", True),  # noqa: FBT003
    ),
    Rule(
        "LF2421",
        "hub-unpinned",
        Severity.LOW,
        "{call} names a repository without a commit, so its content can change under the same name.",
        "Pass revision= with the 40 hex digits of a commit, or load the files of this release.",
        ("CWE-494", "LLM03:2025", "AML.T0109"),
        names=frozenset(
            {"huggingface_hub.hf_hub_download", "huggingface_hub.snapshot_download", "datasets.load_dataset"}
            | {"sentence_transformers.SentenceTransformer", "sentence_transformers.CrossEncoder"}
        ),
        methods=frozenset({"from_pretrained", "hf_hub_download", "snapshot_download"}),
        when=unpinned_hub,
    ),
    Rule(
        "LF2421",
        "pipeline-unpinned",
        Severity.LOW,
        "{call} names a repository without a commit, so its content can change under the same name.",
        "Pass revision= with the 40 hex digits of a commit, or load the files of this release.",
        ("CWE-494", "LLM03:2025", "AML.T0109"),
        names=frozenset({"transformers.pipeline"}),
        when=pipeline_unpinned,
    ),
    Rule(
        "LF2422",
        "torch-hub",
        Severity.HIGH,
        "{call} downloads a repository and runs its hubconf.py.",
        "Name a commit of 40 hex digits (`owner/name:COMMIT`), or load a local copy with source='local'.",
        _REMOTE,
        names=frozenset({"torch.hub.load"}),
        when=torch_hub,
    ),
    Rule(
        "LF2430",
        "dynamic-code",
        Severity.MEDIUM,
        "{call} runs code that is put together at run time.",
        "Use a table of functions, ast.literal_eval or a parser for what may be written.",
        ("CWE-95", "AML.T0050"),
        names=frozenset({"eval", "exec"}),
        when=dynamic(),
    ),
    Rule(
        "LF2431",
        "shell",
        Severity.HIGH,
        "{call} hands a command line that is put together at run time to a shell.",
        "Pass a list of arguments, without a shell.",
        ("CWE-78", "AML.T0050"),
        names=frozenset(
            {f"subprocess.{f}" for f in ("run", "call", "check_call", "check_output", "Popen")}
        ),
        when=shell,
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
            | {f"langchain_experimental.tools.python.tool.{n}" for n in ("PythonREPLTool", "PythonAstREPLTool")}
            | {"langchain_community.tools.ShellTool", "langchain.tools.ShellTool", "langchain.tools.PythonREPLTool"}
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
            {"create_pandas_dataframe_agent", "create_csv_agent", "create_spark_dataframe_agent", "create_python_agent"}
            | {"RequestsGetTool", "RequestsPostTool", "create_openapi_agent", "RequestsToolkit", "from_llm"}
            | {"GraphCypherQAChain", "OpenAPIToolkit"}
        ),
        when=lambda call: any(
            constant(call.keyword(flag), True)  # noqa: FBT003
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
        when=lambda call: any(constant(call.keyword(k), False) for k in ("verify", "ssl", "verify_ssl")),  # noqa: FBT003
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
        when=keyword_is("share", True),  # noqa: FBT003
    ),
    Rule(
        "LF2464",
        "debug-server",
        Severity.MEDIUM,
        "{call} with debug=True lets whoever can reach an error page run code.",
        "Remove debug=True.",
        ("CWE-489",),
        names=frozenset({"flask.Flask().run"}),
        when=keyword_is("debug", True),  # noqa: FBT003
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
            {f"tarfile.{opened}().{f}" for opened in ("open", "TarFile", "TarFile.open") for f in ("extractall", "extract")}
        ),
        when=lambda call: call.keyword("filter") is None or constant(call.keyword("filter"), None),
    ),
)


def index() -> dict[str, tuple[Rule, ...]]:
    """The rules by the last part of the names that they match, so that a call meets only few of them."""
    table: dict[str, list[Rule]] = {}
    for rule in RULES:
        for last in {name.rpartition(".")[2] for name in rule.names} | rule.methods:
            table.setdefault(last, []).append(rule)
    return {last: tuple(rules) for last, rules in table.items()}
