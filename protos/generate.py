"""Generate everything that is made from the .proto files.

    python protos/generate.py [--descriptor-set PATH]

Writes `gen/scanmesh` (messages, stubs and their types: what the wheel holds) and the descriptor set by which Envoy
reads JSON. The first is committed, and `make check` fails when it differs from what this makes; the set is built, not
committed. The versions of the tools are pinned, and the output is a function of the .proto files alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

HERE = Path(__file__).resolve().parent
GOOGLEAPIS = Path(sysconfig.get_path("purelib"))
"""`googleapis-common-protos` ships its .proto files beside its modules, so nothing is vendored."""

ERROR_DETAILS = ("google/rpc/status.proto", "google/rpc/error_details.proto")
"""In the descriptor set because Envoy answers an empty body for an error detail whose type it does not know."""


def main() -> None:
    """Generate the package and the descriptor set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--descriptor-set", type=Path, default=HERE.parent / "gateway" / "scanmesh.binpb")
    destination = parser.parse_args().descriptor_set
    generate(HERE, "scanmesh")
    destination.parent.mkdir(parents=True, exist_ok=True)
    describe(HERE, described(), destination)


def sources(root: Path, package: str) -> list[str]:
    """Return the .proto files of a package as protoc names them, in a fixed order."""
    return sorted(path.relative_to(root).as_posix() for path in (root / package).rglob("*.proto"))


def described() -> list[str]:
    """Return the files that Envoy must know."""
    return [*sources(HERE, "scanmesh"), *ERROR_DETAILS]


def generate(root: Path, package: str) -> None:
    """Make modules and types of a package and let `gen`, in its root, hold exactly these.

    Made aside and copied, so that a broken .proto file leaves the last good modules in place.
    """
    files = sources(root, package)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        protoc(root, [f"--python_out={out}", f"--mypy_out=quiet:{out}"], files)
        services = with_services(root, files)
        protoc(root, [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"], services)
        (out / package / "py.typed").touch()
        replace(out, root / "gen")


def with_services(root: Path, files: list[str]) -> list[str]:
    """Return the files that define a service: for the others a stub module would be empty."""
    with tempfile.NamedTemporaryFile() as scratch:
        describe(root, files, Path(scratch.name))
        found = FileDescriptorSet.FromString(Path(scratch.name).read_bytes())
    return [file.name for file in found.file if file.service and file.name in files]  # not those of imports


def describe(root: Path, files: list[str], destination: Path) -> None:
    """Write the descriptors of `files` and of all they import."""
    protoc(root, ["--include_imports", f"--descriptor_set_out={destination}"], files)


def protoc(root: Path, options: list[str], files: list[str]) -> None:
    """Run the protoc of grpcio-tools with the plugins of this environment; exit if it complains."""
    scripts = Path(sysconfig.get_path("scripts"))
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{root}",
        f"-I{GOOGLEAPIS}",
        *plugins,
        *options,
        *files,
    ]
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        sys.exit(finished.returncode)


def replace(made: Path, into: Path) -> None:
    """Let the files of `into` be those of `made`; equal files keep their time of change."""
    wanted = {path.relative_to(made): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    for path in [path for path in into.rglob("*") if path.is_file()]:
        if path.relative_to(into) not in wanted and path.suffix != ".pyc":
            path.unlink()
    for name, content in wanted.items():
        target = into / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


if __name__ == "__main__":
    main()
