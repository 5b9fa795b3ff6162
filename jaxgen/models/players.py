"""Several nets as one player of a game: one optimizer moves them, one loss judges them."""

from __future__ import annotations

from jaxgen.types import Variables


def join_variables(**of_nets: Variables) -> Variables:
    """Returns the variables of several nets as one player's: collection, then net, then leaf.

    Joins what a forward pass changed in their collections, too.

    Args:
      of_nets: every net's variables, by the name that it shall have.
    Example:
      >>> join_variables(G={"params": 1, "batch_stats": 2}, E={"params": 3})
      {'params': {'G': 1, 'E': 3}, 'batch_stats': {'G': 2}}
    """
    joined: Variables = {}
    for net, variables in of_nets.items():
        for collection, tree in variables.items():
            joined.setdefault(collection, {})[net] = tree
    return joined


def variables_of(variables: Variables, net: str) -> Variables:
    """Returns one net's variables from those of its player, without the collections it lacks.

    Raises:
      ValueError: no collection knows the net.
    Example:
      >>> player = join_variables(G={"params": 1, "batch_stats": 2}, E={"params": 3})
      >>> variables_of(player, "G"), variables_of(player, "E")
      ({'params': 1, 'batch_stats': 2}, {'params': 3})
    """
    own = {collection: tree[net] for collection, tree in variables.items() if net in tree}
    if not own:
        known = sorted({name for tree in variables.values() for name in tree})
        raise ValueError(f"net: got {net!r}, expected one of {', '.join(known) or 'none'}")
    return own
