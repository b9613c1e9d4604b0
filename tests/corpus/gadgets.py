"""What pickles have been seen or shown to call: names from public advisories, papers and fixtures of other scanners.

One line per module, names behind it. Nothing here is ever imported or called. Sources: the advisories of picklescan,
fickling, modelscan and torch; "The Art of Hide and Seek" (arXiv 2508.19774); the documentation of the libraries.
"""

from __future__ import annotations

_LINES = """
os: system popen execv execve execl spawnv spawnl posix_spawn remove rename putenv fork kill chmod
posix: system popen execv posix_spawn unlink
nt: system startfile
subprocess: Popen run call check_call check_output getoutput getstatusoutput
builtins: eval exec compile open __import__ getattr setattr delattr breakpoint input globals vars map filter apply
__builtin__: eval exec execfile compile open file __import__ getattr reload apply input
importlib: import_module reload
importlib._bootstrap: _gcd_import _call_with_frames_removed
importlib._bootstrap_external: SourceFileLoader
importlib.machinery: SourceFileLoader ExtensionFileLoader
importlib.util: spec_from_file_location module_from_spec
imp: load_source load_module load_dynamic
runpy: run_path run_module _run_code
pkgutil: resolve_name get_loader
zipimport: zipimporter
site: addsitedir main
code: interact InteractiveInterpreter InteractiveConsole
codeop: compile_command
pty: spawn
pdb: run runeval set_trace
bdb: Bdb
cProfile: run runctx Profile
profile: run runctx Profile
trace: Trace
timeit: timeit main Timer
doctest: debug_script testsource
pydoc: pipepager tempfilepager locate
idlelib.run: Executive
idlelib.pyshell: ModifiedInterpreter
idlelib.debugobj: ObjectTreeItem
idlelib.autocomplete: AutoComplete
lib2to3.pgen2.pgen: ParserGenerator
lib2to3.pgen2.grammar: Grammar
ensurepip: bootstrap _run_pip
venv: create main
pip: main
pip._internal: main
setuptools.sandbox: run_setup
distutils.spawn: spawn
distutils.file_util: write_file copy_file
distutils.sysconfig: customize_compiler
commands: getoutput getstatusoutput
popen2: popen2 popen3
_osx_support: _read_output _find_build_tool
_aix_support: _read_cmd_output
_pyrepl.pager: pipe_pager
platform: popen _syscmd_file
webbrowser: open get
antigravity: geohash
ctypes: CDLL PyDLL cast memmove
ctypes.util: find_library _findLib_gcc
_ctypes: dlopen call_function
marshal: loads load
pickle: loads load Unpickler
_pickle: loads Unpickler
cPickle: loads
dill: loads load
cloudpickle: loads load
shelve: open
dbm: open
dbm.dumb: open
sqlite3: connect
_sqlite3: connect
types: FunctionType CodeType
operator: attrgetter methodcaller call
functools: reduce cache
itertools: starmap
copyreg: add_extension dispatch_table
weakref: finalize
threading: Thread Timer
_thread: start_new_thread
multiprocessing: Process Pool
multiprocessing.util: spawnv_passfds Finalize
multiprocessing.connection: Client Listener
multiprocessing.popen_fork: Popen
_posixsubprocess: fork_exec
concurrent.futures: ProcessPoolExecutor
asyncio: create_subprocess_shell run
asyncio.unix_events: _UnixSubprocessTransport
signal: signal raise_signal
atexit: register
gc: get_objects get_referrers
sys: exit settrace setprofile addaudithook _getframe modules
faulthandler: register
resource: setrlimit
mmap: mmap
fcntl: fcntl
shutil: rmtree move copyfile copytree unpack_archive make_archive
tempfile: mktemp NamedTemporaryFile
pathlib: Path.write_text Path.unlink
fileinput: FileInput input
linecache: getlines updatecache
io: open FileIO
codecs: open
gzip: open
bz2: open
lzma: open
tarfile: open
zipfile: ZipFile
glob: glob
socket: create_connection socket
socketserver: TCPServer
ssl: get_server_certificate
http.client: HTTPConnection HTTPSConnection
http.server: HTTPServer
urllib.request: urlopen urlretrieve
urllib: urlopen urlretrieve
urllib2: urlopen
ftplib: FTP
smtplib: SMTP
poplib: POP3
imaplib: IMAP4
telnetlib: Telnet
nntplib: NNTP
xmlrpc.client: ServerProxy
logging: FileHandler
logging.config: fileConfig dictConfig listen
logging.handlers: SocketHandler HTTPHandler
configparser: ConfigParser
netrc: netrc
mailcap: findmatch
mimetypes: init
uuid: _popen _get_command_stdout
getpass: getpass
readline: read_init_file
curses: wrapper
tkinter: Tk
turtle: exitonclick
test.support.script_helper: assert_python_ok
test.support: run_in_subinterp
unittest.mock: patch _importer
ast: literal_eval parse
inspect: getsource
dis: dis
symtable: symtable
wsgiref.simple_server: make_server
xml.dom.minidom: parse
xml.etree.ElementTree: parse
numpy: load fromfile memmap loadtxt genfromtxt save vectorize frompyfunc
numpy.lib.npyio: load
numpy.f2py: compile run_main
numpy.f2py.crackfortran: getlincoef myeval _eval_length param_eval
numpy.f2py.diagnose: run_command
numpy.testing._private.utils: runstring rundocs
numpy.distutils.exec_command: exec_command
numpy.distutils.cpuinfo: getoutput
numpy.ctypeslib: load_library
scipy.io: loadmat readsav
scipy._lib._ccallback: LowLevelCallable
joblib: load
joblib.numpy_pickle: load read_zipfile
joblib.externals.loky.backend.spawn: prepare
sklearn.datasets: load_files fetch_openml
sklearn.utils._joblib: load
pandas: read_pickle read_csv read_json read_html eval
pandas.io.pickle: read_pickle
pandas.io.common: get_handle urlopen
pandas.core.computation.eval: eval
torch: load compile
torch.hub: load download_url_to_file
torch.jit: load
torch.serialization: load
torch.utils.collect_env: run get_pip_packages
torch.utils.cpp_extension: load load_inline
torch.utils._config_module: ConfigModule.load_config
torch.utils.bottleneck.__main__: run_cprofile run_autograd_prof
torch.utils.data.datapipes.utils.decoder: basichandlers
torch.jit.unsupported_tensor_ops: execWrapper
torch._dynamo.guards: GuardBuilder.get
torch._inductor.codecache: compile_file
torch.fx.experimental.symbolic_shapes: ShapeEnv.evaluate_guards_expression
torch.distributed.rpc: rpc_sync
torch.multiprocessing: spawn
torchvision.datasets.utils: download_url
transformers: pipeline AutoModel.from_pretrained
tensorflow: io.read_file py_function
tensorflow.python.framework.load_library: load_op_library
keras.models: load_model
keras.utils: get_file
keras.src.saving.object_registration: get_registered_object
mlflow.pyfunc: load_model
mlflow.projects.backend.local: _run_entry_point
mlflow.utils.process: _exec_cmd
hydra.utils: instantiate call
hydra._internal.utils: _locate
omegaconf.resolvers: oc.env
yaml: unsafe_load load
jinja2: Template Environment.from_string
IPython: start_ipython get_ipython
IPython.utils.process: system
requests: get post
requests.api: request
httpx: get
aiohttp.client: ClientSession
boto3: client
paramiko.client: SSHClient
psutil: Popen
sh: Command
invoke: run
pexpect: run spawn
cffi: FFI
numba: jit
nltk.downloader: download
sympy: sympify
py._process.cmdexec: cmdexec
git.cmd: Git.execute
ray: remote
dask: compute
langchain.llms.loading: load_llm
smolagents: PythonInterpreterTool
celery.utils: gen_task_name
django.core.management: execute_from_command_line
flask: render_template_string
plac: call
fire: Fire
twisted.internet.utils: getProcessOutput
six.moves: reload_module
pyximport: install
pywintypes: error
collections: _sys.modules.get namedtuple
random: _os.system
base64: main
"""

#: (module, name) of each.
GADGETS = tuple(
    (module, name)
    for module, _, names in (line.partition(": ") for line in _LINES.strip().splitlines())
    for name in names.split()
)
