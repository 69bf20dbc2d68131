"""What a run has shown: tables, bars, a CSV file and a plot."""
import csv
from statistics import median

QUANTITIES = {
    "rate": lambda one: one.rate,
    "cpu": lambda one: sum(one.cpu.values()),
    "p50": lambda one: one.p50,
    "p99": lambda one: one.p99,
    "mean": lambda one: one.mean,
    "worst": lambda one: one.worst / 1000,
    "errors": lambda one: one.errors,
}


class Results:
    """Samples by contestant, work and connections, one a round; memory by contestant."""

    def __init__(self):
        self.samples = {}
        self.memory = {}

    def add(self, contestant, work, connections, sample):
        self.samples.setdefault((contestant, work, connections), []).append(sample)

    def values(self, quantity, contestant, work, connections):
        """A round each; a sum of contestants is one who does the work of all of them. None: not measured."""
        columns = []
        for name in contestant.split("+"):
            if quantity == "memory":
                columns.append(self.memory.get(name, []))
            else:
                columns.append([QUANTITIES[quantity](one) for one in self.samples.get((name, work, connections), [])])
        if not all(columns):
            return None
        return [sum(row) for row in zip(*columns)]


def ratio(ours, theirs):
    """Median, least and most of the ratios within a round, in which the machine was in one mood."""
    rounds = [a / b if b else float("inf") for a, b in zip(ours, theirs)]
    return median(rounds), min(rounds), max(rounds)


def is_draw(middle, least, most):
    """A difference that is no larger than what lies between two rounds."""
    return most - least >= abs(middle - 1)


# ---- bars ----

def read_bars(file):
    for line in file.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            quantity, work, connections, of, against, relation, bound = line.split()
            yield quantity, work, int(connections) if connections != "-" else 0, of, against, relation, float(bound)


def judge_bars(results, file):
    """A line each: the bar, what was measured, whether it is reached; None where something was not measured."""
    for quantity, works, connections, of, against, relation, bound in read_bars(file):
        work, _, their_work = works.partition(":")
        ours = results.values(quantity, of, work, connections)
        if against == "-":
            found = (max(ours),) * 3 if ours else None
        else:
            theirs = (results.values("mean", of, work, connections) if against == "mean"
                      else results.values(quantity, against, their_work or work, connections))
            found = ratio(ours, theirs) if ours and theirs else None
        subject = f"{quantity} {work}" + (f" at {connections}" if connections else "") + f", {of}"
        if against != "-":
            subject += f" against {against}"
        wanted = f"{'at least' if relation == '>=' else 'at most'} {bound:g}"
        reached = None
        if found:
            reached = found[0] >= bound if relation == ">=" else found[0] <= bound
        yield subject, wanted, found, reached


def print_bars(results, file):
    """The closing lines."""
    lines = [one for one in judge_bars(results, file) if one[2]]
    if not lines:
        return
    print("\nbars")
    for subject, wanted, (middle, least, most), reached in lines:
        rounds = f" ({least:.3g} to {most:.3g})" if least != most else ""
        print(f"  {'reached' if reached else 'MISSED ':7}  {subject}: {wanted}, measured {middle:.3g}{rounds}")
    missed = sum(not one[3] for one in lines)
    print(f"  {len(lines) - missed} of {len(lines)} reached")


# ---- tables ----

def order(results):
    works = sorted({key[1:] for key in results.samples}, key=lambda one: (one[1], one[0]))
    for work, connections in works:
        names = [key[0] for key in results.samples if key[1:] == (work, connections)]
        yield work, connections, names


def print_tables(results):
    for work, connections, names in order(results):
        print(f"\n{work}, {connections} connection{'s' if connections > 1 else ''}")
        print(f"  {'':18}{'requests/s':>11}{'ours is':>9}{'p50 ms':>9}{'p99 ms':>9}{'worst':>9}"
              f"{'CPU µs':>8} = server + program + database (+ client)   errors")
        ours = results.values("rate", "lighttpd", work, connections)
        for name in names:
            samples = results.samples[name, work, connections]
            middle = {key: median(map(take, samples)) for key, take in QUANTITIES.items()}
            parts = {key: median(one.cpu.get(key, 0) for one in samples) for key in ("server", "program", "database", "client")}
            compared = ""
            if ours and name != "lighttpd":
                compared = ratio(ours, [one.rate for one in samples])
                compared = "draw" if is_draw(*compared) else f"{compared[0]:.2f}×"
            split = f"{parts['server']:.0f} + {parts['program']:.0f} + {parts['database']:.0f}"
            split += f" + {parts['client']:.0f}" if parts["client"] else ""
            print(f"  {name:18}{middle['rate']:>11.0f}{compared:>9}{middle['p50'] / 1000:>9.2f}{middle['p99'] / 1000:>9.2f}"
                  f"{middle['worst']:>9.1f}{middle['cpu']:>8.0f} = {split:<40}{sum(one.errors for one in samples):>9}")
    if results.memory:
        print("\nmemory, MiB of proportional set size after the list at 32 connections: server and programs")
        for name, values in results.memory.items():
            print(f"  {name:18}{median(values):>9.1f}")


def write_csv(results, file):
    with open(file, "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["contestant", "work", "connections", "round", "requests_per_second", "requests", "errors", "p50_us",
                       "p99_us", "mean_us", "worst_us", "cpu_server_us", "cpu_program_us", "cpu_database_us",
                       "cpu_client_us"])
        for (name, work, connections), samples in results.samples.items():
            for number, one in enumerate(samples, 1):
                cpu = [round(one.cpu.get(key, 0), 2) for key in ("server", "program", "database", "client")]
                rows.writerow([name, work, connections, number, round(one.rate, 1), one.requests, one.errors, one.p50, one.p99,
                               round(one.mean), one.worst, *cpu])


# ---- the plot ----

COLOURS = {"product": "#1d6f42", "rival": "#8a8f98", "limit": "#c9a227"}


def write_plot(results, kinds, file):
    """Bars of requests a second as shares of the product's on lighttpd, a panel for each work; the line is its worst and best
    round. Shares, since only ratios are claimed."""
    panels = [one for one in order(results) if len(one[2]) > 1 and results.values("rate", "lighttpd", *one[:2])]
    width, row, head, left = 860, 20, 34, 150
    height = sum(head + row * len(names) + 14 for *_, names in panels) + 34
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
           '<text x="10" y="20">Requests a second, this product on lighttpd with HS256 = 1</text>']
    for i, kind in enumerate(COLOURS):
        out.append(f'<rect x="{480 + i * 120}" y="10" width="12" height="12" fill="{COLOURS[kind]}"/>'
                   f'<text x="{498 + i * 120}" y="20">{ {"product": "this product", "rival": "instead", "limit": "limit"}[kind] }</text>')
    top = 34
    for work, connections, names in panels:
        ours = results.values("rate", "lighttpd", work, connections)
        shares = {name: ratio(results.values("rate", name, work, connections), ours) for name in names}
        scale = (width - left - 90) / max(most for *_, most in shares.values())
        top += head
        out.append(f'<text x="10" y="{top - 8}" font-weight="bold">{work}, {connections} connections</text>')
        for name in sorted(names, key=lambda one: -shares[one][0]):
            middle, least, most = shares[name]
            y = top + row / 2
            out.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{name}</text>'
                       f'<rect x="{left}" y="{top + 3}" width="{middle * scale:.1f}" height="{row - 6}" fill="{COLOURS[kinds[name]]}"/>'
                       f'<path d="M{left + least * scale:.1f} {y}H{left + most * scale:.1f}" stroke="#000000"/>'
                       f'<text x="{left + max(middle, most) * scale + 6:.1f}" y="{y + 4}">{middle:.3g}</text>')
            top += row
        top += 14
    file.write_text("\n".join([*out, "</svg>"]) + "\n")
