"""What goes wrong in a run: each fault strikes some worker, or the group, at whatever step it is."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .worker import SimulatedWorker

if TYPE_CHECKING:
    from .world import World

__all__ = ["FAULTS", "Fault"]

Fault = Callable[[Any], None]


def _victim(world: "World") -> SimulatedWorker | None:
    able = [each for each in world.workers if not each.process.frozen]
    return world.chance.choice(able) if able else None


def kill(world: "World") -> None:
    """``kill -9``, and for a durable store perhaps the power, which takes the last writes along."""
    victim = _victim(world)
    if victim is None:
        return
    world.kill(victim)
    if victim.disk is not None and world.chance.random() < 0.3:
        # Its own machine's: a frozen namesake lives on elsewhere, and still has what it wrote.
        for written in victim.disk.values():
            del written[len(written) - world.chance.randrange(3) :]


def doom(world: "World") -> None:
    """Die between commit and store write, or between one store's write and the next."""
    victim = _victim(world)
    if victim is not None:
        world.say(f"{victim.process.name} will die at a store")
        victim.doomed = True


def freeze(world: "World") -> None:
    """SIGSTOP; others may take over, even under the same name, before SIGCONT."""
    victim = _victim(world)
    if victim is None:
        return
    world.say(f"{victim.process.name} stands still")
    victim.process.frozen = True
    world.zombies.append(victim)
    if world.chance.random() < 0.5 and victim.consumer.member is not None:
        world.broker.group.expel(victim.consumer.member)
    if world.chance.random() < 0.4:
        for slot in world.slots:
            if slot.worker is victim:
                world.start(slot)


def expel(world: "World") -> None:
    """The network keeps heartbeats away; the worker does not know."""
    members = world.broker.group.members
    if members:
        member = world.chance.choice(members)
        world.say(f"member {member.number} is expelled")
        world.broker.group.expel(member)


def rebalance(world: "World") -> None:
    """The group begins anew."""
    world.say("the group rebalances")
    world.broker.group.rebalance()


def trouble(world: "World") -> None:
    """The next commit is aborted, or its outcome is never told."""
    victim = _victim(world)
    if victim is not None:
        victim.producer.trouble = world.chance.choice(("abort", "abort", "lost before", "lost after"))
        world.say(f"{victim.process.name}'s next commit: {victim.producer.trouble}")


def expire(world: "World") -> None:
    """A transaction takes too long for the broker."""
    victim = _victim(world)
    if victim is not None and victim.instance in world.broker.open:
        world.say(f"the transaction of {victim.instance} times out")
        world.broker.expire(victim.instance)


def leave(world: "World") -> None:
    """SIGTERM."""
    victim = _victim(world)
    if victim is not None:
        world.say(f"{victim.process.name} is told to stop")
        victim.stopping = True


def hiccup(world: "World") -> None:
    """An agent asks to be run again."""
    victim = _victim(world)
    if victim is not None:
        victim.job.trouble = True


def compact(world: "World") -> None:
    """The cleaner passes over the changelogs."""
    for partition, log in world.broker.logs.items():
        if partition.topic.endswith("-changelog"):
            log.compact()


def age(world: "World") -> None:
    """Stores on disk are too old from now on, or no longer."""
    world.wall_clock = 0.0 if world.wall_clock else 1e9
    world.say(f"the wall clock says {world.wall_clock}")


FAULTS: Sequence[Fault] = (
    kill,
    kill,
    doom,
    doom,
    freeze,
    freeze,
    expel,
    rebalance,
    rebalance,
    trouble,
    trouble,
    expire,
    leave,
    hiccup,
    compact,
    age,
)
