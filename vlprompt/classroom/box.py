"""A box for code that nobody has read: limits of time and memory, no network, and one folder that it may write to.

Run as a script, `python -P box.py SPEC -f CONNECTION`, it starts a Jupyter kernel in the box; SPEC is a `Box` as JSON.
It uses nothing but Python's standard library, since it runs before every kernel.

On Linux the kernel gets namespaces of its own: no network device, no process but its own, the whole disk read-only but
for its folder, and folders that are empty for it. Where the system refuses them (`namespaces` off), a hook of Python
refuses sockets and new processes: enough against accidents, not against code that means harm.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

# From Linux's headers: sched.h, mount.h, fs.h, prctl.h.
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1  # the call has this number on all machines
DEATH_SIGNAL, NO_NEW_PRIVILEGES = 1, 38
NO_BOX = 70  # the exit status where the box could not be made
PROCESSES, FILE_BYTES = 512, 512 * 2**20

NETWORK = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
PROCESS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}


@dataclass(frozen=True)
class Box:
    """What a box allows: its folder, what is empty for it, seconds of life, bytes of memory, and how it is made.

    `desk` is the grader's own folder, of which the code in the box sees nothing.
    """

    folder: str
    desk: str
    hidden: tuple[str, ...]
    seconds: float
    memory: int
    namespaces: bool

    @property
    def home(self) -> Path:
        return Path(self.folder, "home")

    @property
    def stopped(self) -> Path:
        """A file that is there when the kernel was ended because its time was up."""
        return Path(self.desk, "stopped")

    @property
    def network(self) -> Path:
        """A file with a line for each connection that was refused."""
        return Path(self.folder, "network")

    def command(self, *arguments: str) -> list[str]:
        """The command line that starts a kernel in the box."""
        return [sys.executable, "-P", __file__, json.dumps(asdict(self)), *arguments]


class Attributes(ctypes.Structure):
    """Linux's `struct mount_attr`."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def namespaces_work(folder: Path) -> bool:
    """Whether this system grants a box with namespaces; tried in `folder`."""
    if sys.platform != "linux":
        return False
    box = Box(str(folder / "box"), str(folder / "desk"), (), 20, 2**30, True)
    for needed in (box.home, Path(box.desk)):
        needed.mkdir(parents=True, exist_ok=True)
    try:
        return subprocess.run(box.command("--try"), capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def main() -> int:
    """Make the box, start the kernel in it, and watch over it until it ends or its time is up."""
    box = Box(**json.loads(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # interruptions are for the kernel
    die_with_parent()
    os.chdir(box.home)
    try:
        if box.namespaces:
            leave_world()
        child = os.fork()
    except OSError as error:
        print(f"no box: {error}", file=sys.stderr)
        return NO_BOX
    if child:
        return watch(child, box)
    try:
        close_door(box)
    except OSError as error:
        print(f"no box: {error}", file=sys.stderr)
        os._exit(NO_BOX)
    if sys.argv[2] == "--try":
        os._exit(0)
    start_kernel(sys.argv[2:])
    return 0


def watch(child: int, box: Box) -> int:
    """Wait for the kernel; end it when its time is up, with all that it started."""
    end = time.monotonic() + box.seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status) & 0xFF
        time.sleep(0.05)
    box.stopped.touch()
    if box.namespaces:
        os.kill(child, signal.SIGKILL)  # the first process of its namespace: the others die with it
        os.waitpid(child, 0)
    else:
        os.killpg(0, signal.SIGKILL)
    return 128 + signal.SIGKILL


# ---- Linux: namespaces --------------------------------------------------------------------------


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    """OSError with the system's reason unless a call has returned 0."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    if sys.platform == "linux":
        libc().prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def leave_world() -> None:
    """Namespaces for users, processes, network and messages; the next child is the first process of its own."""
    user, group = os.getuid(), os.getgid()
    must(libc().unshare(NEWUSER | NEWPID | NEWNET | NEWIPC), "namespaces are not granted")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def close_door(box: Box) -> None:
    """In the child: its view of the disk, its limits, and no way back."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if box.namespaces:
        shut_disk(box)
        drop_powers()
    limit(box)
    sys.addaudithook(guard(box))


def shut_disk(box: Box) -> None:
    """Everything read-only but the box's folder; the hidden folders empty; processes and shared memory of its own."""
    folder = box.folder.encode()
    must(libc().unshare(NEWNS), "no namespace for the disk")
    must(libc().mount(b"none", b"/", None, RECURSIVE | PRIVATE, None), "mounts cannot be made private")
    must(libc().mount(folder, folder, None, BIND, None), "the folder cannot be kept")
    mount_attributes(b"/", Attributes(READ_ONLY, 0, 0, 0), AT_RECURSIVE)
    mount_attributes(folder, Attributes(0, READ_ONLY, 0, 0), 0)
    must(libc().mount(b"proc", b"/proc", b"proc", 0, None), "no processes of its own")
    must(libc().mount(b"shm", b"/dev/shm", b"tmpfs", 0, f"size={box.memory}".encode()), "no shared memory")
    for path in (*box.hidden, box.desk):
        must(libc().mount(b"empty", path.encode(), b"tmpfs", READ_ONLY, None), f"{path} cannot be hidden")
    os.chdir(box.home)


def mount_attributes(path: bytes, attributes: Attributes, flags: int) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    result = libc().syscall(MOUNT_SETATTR, AT_FDCWD, path, flags, ctypes.byref(attributes), size)
    must(result, f"{path.decode()} keeps its attributes")


def drop_powers() -> None:
    """Give up the powers over mounts that a namespace's first process has, for good."""
    must(libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "privileges can be regained")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the third version of the call, this process
    must(libc().capset(header, (ctypes.c_uint32 * 6)()), "capabilities stay")


# ---- everywhere ---------------------------------------------------------------------------------


def limit(box: Box) -> None:
    """Memory, processor time, size of files, number of processes; what the system does not know is left out."""
    import resource

    memory = "RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS"
    wanted = {memory: box.memory, "RLIMIT_CPU": int(4 * box.seconds) + 1, "RLIMIT_FSIZE": FILE_BYTES, "RLIMIT_CORE": 0}
    if box.namespaces:  # elsewhere it would count the teacher's own processes
        wanted["RLIMIT_NPROC"] = PROCESSES
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def guard(box: Box):
    """A hook that refuses connections, notes them, and without namespaces refuses new processes too."""
    refused = NETWORK if box.namespaces else NETWORK | PROCESS

    def hook(event: str, arguments: tuple) -> None:
        if event not in refused or is_local(event, arguments):
            return
        what = "network" if event in NETWORK else "other programs"
        if event in NETWORK:
            with box.network.open("a") as file:
                file.write(f"{address(event, arguments)}\n")
        raise PermissionError(f"no {what} while a hand-in is graded")

    return hook


def is_local(event: str, arguments: tuple) -> bool:
    """Whether a socket only reaches processes of this machine by the disk."""
    return isinstance(arguments[0], socket.socket) and arguments[0].family == getattr(socket, "AF_UNIX", None)


def address(event: str, arguments: tuple) -> str:
    """What a refused call wanted to reach, in words."""
    where = arguments[1] if isinstance(arguments[0], socket.socket) else arguments[:2]
    parts = where if isinstance(where, tuple) else (where,)
    return ":".join(str(part) for part in parts[:2] if part is not None)[:100]


def start_kernel(arguments: list[str]) -> None:
    import runpy

    sys.path[:] = [path for path in sys.path if path]  # nothing from the folder that the code writes to
    sys.argv = ["ipykernel_launcher", *arguments]
    runpy.run_module("ipykernel_launcher", run_name="__main__")


if __name__ == "__main__":
    raise SystemExit(main())
