#!/usr/bin/env python3
"""Other programs on the same simulated printers: CPU time of each client per living device read.

    apt-get install prometheus-snmp-exporter fusioninventory-agent-task-network snmp
    cargo build --release -p platen-loadtest -p platen-poller --bin loadtest --example sweep
    benches/polling/rivals.py [--devices N] [--target FOLDER]

CPU time is user and system time of the client's process: of a service from /proc, of programs that end from wait4. What only drives them
(this script) is not counted. A rival that is not installed is named and left out. Loopback only.
"""

import argparse
import concurrent.futures
import ipaddress
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
FIRST = ipaddress.ip_address("127.96.0.1")
PARALLEL = 8
# A Perl program of a second each: as many as fit into a minute or so.
FUSION_DEVICES_MAX = 24
EXPORTER_WARM_UP = 20
# How often our own polls by plan are made.
OWN_TIMES = 5
WAIT_S = 20

# What the exporter's module walks; parallel snmpbulkget reads the same.
COLUMNS = [
    "1.3.6.1.2.1.1.3", "1.3.6.1.2.1.25.3.5.1.1", "1.3.6.1.2.1.43.5.1.1.3", "1.3.6.1.2.1.43.5.1.1.13",
    "1.3.6.1.2.1.43.5.1.1.16", "1.3.6.1.2.1.43.5.1.1.17", "1.3.6.1.2.1.43.5.1.1.18", "1.3.6.1.2.1.43.5.1.1.19",
    "1.3.6.1.2.1.43.6.1.1.3", "1.3.6.1.2.1.43.11.1.1.5", "1.3.6.1.2.1.43.11.1.1.6", "1.3.6.1.2.1.43.11.1.1.8",
    "1.3.6.1.2.1.43.11.1.1.9",
]


def addresses(count):
    """As the fleet gives them: one after the other, without those that end in 0 or 255."""
    address, found = int(FIRST), []
    while len(found) < count:
        if address & 0xFF not in (0, 255):
            found.append(str(ipaddress.ip_address(address)))
        address += 1
    return found


class Fleet:
    """Simulated printers, all living and without loss, until it is closed."""

    def __init__(self, program, devices):
        self.process = subprocess.Popen(
            [program, "fleet", "--stdin", "--port", "0", "--first", str(FIRST), "--devices", str(devices),
             "--dead-permille", "0", "--asleep-permille", "0", "--latency-ms", "5"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"port (\d+)", line)
        if not found:
            sys.exit(f"the fleet did not start: {line!r}")
        self.port = int(found.group(1))

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=WAIT_S)


def run(command):
    """Runs a program to its end; its CPU seconds and its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, output.decode(errors="replace")


def each(items, work):
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(work, items))


def snmpbulkget(hosts, port):
    """One process and one request a device: the scalars once, five rows of each table's column."""
    def read(host):
        cpu, output = run(["snmpbulkget", "-v2c", "-cpublic", "-m", "", "-On", "-Cn1", "-Cr5", f"{host}:{port}", *COLUMNS])
        return cpu, ".1.3.6.1.2.1.43.11.1.1.9." in output
    return mean(each(hosts, read))


def snmpbulkwalk(hosts, port):
    """One process a device: the Printer MIB as a whole."""
    def read(host):
        cpu, output = run(["snmpbulkwalk", "-v2c", "-cpublic", "-m", "", "-On", f"{host}:{port}", "1.3.6.1.2.1.43"])
        return cpu, ".1.3.6.1.2.1.43.11.1.1.9." in output
    return mean(each(hosts, read))


def fusion(hosts, port):
    """One process a device, as its manual has it; less what the program needs to start and do nothing."""
    start, _ = min(run(["fusioninventory-netinventory", "--version"]) for _ in range(3))

    def read(host):
        cpu, output = run(["fusioninventory-netinventory", "--host", host, "--port", str(port), "--timeout", "5"])
        return cpu - start, "<TYPE>PRINTER</TYPE>" in output or "<CARTRIDGES>" in output
    return mean(each(hosts[:FUSION_DEVICES_MAX], read))


def exporter(hosts, port):
    """A scrape a device of one running service, eight at a time."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        listen = probe.getsockname()[1]
    service = subprocess.Popen(
        ["prometheus-snmp-exporter", f"--config.file={HERE / 'printer_mib.yml'}", f"--web.listen-address=127.0.0.1:{listen}",
         "--log.level=error"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{listen}"
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                urllib.request.urlopen(url, timeout=WAIT_S).read()
                break
            except OSError:
                if time.monotonic() > deadline or service.poll() is not None:
                    raise
                time.sleep(0.05)

        def read(host):
            with urllib.request.urlopen(f"{url}/snmp?module=printer_mib&target={host}:{port}", timeout=WAIT_S) as answer:
                return b"prtMarkerSuppliesLevel{" in answer.read()

        each(hosts[:EXPORTER_WARM_UP], read)
        before = cpu_of(service.pid)
        living = sum(each(hosts, read))
        return (cpu_of(service.pid) - before) / max(living, 1), living
    finally:
        service.terminate()
        service.wait(timeout=WAIT_S)


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mean(results):
    living = [cpu for cpu, is_read in results if is_read]
    return sum(living) / max(len(living), 1), len(living)


def ours(program, fleet, devices):
    """CPU seconds per device of each kind of poll, by the real driver: the mean of several, since one of the fleet takes some 30 ms."""
    table = subprocess.run(
        [program, "--port", str(fleet.port), "--devices", str(devices), "--latency-ms", "5", "--loss-permille", "0", "--rate", "0",
         "--times", str(OWN_TIMES)],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    polls = {}
    for line in table.splitlines():
        fields = line.split()
        if fields and fields[0] in ("learn", "full", "steady", "heartbeat"):
            polls.setdefault(fields[0], []).append((float(fields[-1]) / 1e3, int(fields[1])))
    return {name: (sum(cpu for cpu, _ in costs) / len(costs), min(living for _, living in costs)) for name, costs in polls.items()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--devices", type=int, default=400)
    arguments.add_argument("--target", default=str(HERE.parent.parent / "target"), help="where cargo builds")
    options = arguments.parse_args()
    release = pathlib.Path(options.target) / "release"
    fleet = Fleet(release / "loadtest", options.devices)
    try:
        hosts = addresses(options.devices)
        polls = ours(release / "examples" / "sweep", fleet, options.devices)
        rivals = {}
        for name, program, measure in [
            ("snmpbulkget, the exporter's columns", "snmpbulkget", snmpbulkget),
            ("snmpbulkwalk, the Printer MIB", "snmpbulkwalk", snmpbulkwalk),
            ("prometheus-snmp-exporter, printer_mib", "prometheus-snmp-exporter", exporter),
            ("fusioninventory-netinventory, less its start", "fusioninventory-netinventory", fusion),
        ]:
            if shutil.which(program):
                rivals[name] = measure(hosts, fleet.port)
            else:
                print(f"{program} is not installed")
    finally:
        fleet.close()
    print(f"CPU time of the client per device read, {options.devices} simulated printers, 5 ms:")
    for name, (cpu, living) in rivals.items():
        print(f"  {name:46} {cpu * 1e3:9.3f} ms  ({living} read)")
    best = min((cpu for cpu, living in rivals.values() if living), default=0)
    for name, (cpu, living) in polls.items():
        print(f"  {'Platen, ' + name + ' poll':46} {cpu * 1e3:9.3f} ms  ({living} read)  {best / cpu:7.1f} times less than the best of them")


if __name__ == "__main__":
    main()
