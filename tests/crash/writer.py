"""Creates customers in the database of the first argument until it is killed; prints the number of each one that was
acknowledged. Three at a time, so that a kill meets transactions in every state."""

import asyncio
import sys
from itertools import count

from datastore.database import Database
from tests.conftest import KEYS
from tests.customer.mutations import HOME, KARI, document, done

CREATE = document("createCustomer", "customer { customerNumber }", " @idempotent(key: $key)", ", $key: String!")


async def write(database: Database, name: str) -> None:
    for n in count():
        email = f"{name}.{n}@example.no"
        given = {**KARI, "email": email, "postalAddresses": [HOME, HOME]}
        made = await done(database, CREATE, given, key=f"{name}.{n}")
        sys.stdout.write(f"{made['customerNumber']}\n")
        sys.stdout.flush()


async def main(url: str, run: str) -> None:
    database = Database(url, keys=KEYS)
    await asyncio.gather(*(write(database, f"{run}.{part}") for part in "abc"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
