"""What a request costs its caller: taken before anything runs, and what it did not use given back."""

from gateway.rate import Caller, Rate, Taken
from gateway.request import RequestRefused
from resolvers.errors import ErrorCode, refuse

TOLL = 10
"""The points that a request costs at least that is refused, and that any request must have before it is looked at: to
parse, to validate and to refuse is work, too."""
CHARACTERS_A_POINT = 25
"""Of a document: how many it takes a point to parse and to validate."""
BYTES_A_POINT = 1_000
"""Of a body: how many it takes a point to read."""
FREE_BYTES = 16_384
"""A body up to this size costs nothing by itself."""
LEAST = 1
"""The points that an operation costs at least: nothing can be repeated for free."""


class Bill:
    """The points of one request: `pay_body`, `pay_toll` for a document that is new, `reserve`, run, and `settle`."""

    def __init__(self, rate: Rate, caller: Caller) -> None:
        self._rate = rate
        self._caller = caller
        self._toll: Taken | None = None
        self._due = TOLL
        self._is_denied = False
        self._reserved: Taken | None = None
        self._requested = LEAST

    async def pay_body(self, size: int) -> None:
        """Take what it costs to read a body of so many bytes, whatever comes of it. Raises as `pay_toll` does."""
        if size > FREE_BYTES:
            await self._take(size // BYTES_A_POINT)

    async def pay_toll(self, characters: int = 0) -> None:
        """Take what a refusal costs after a document of so many characters, unless a toll was taken before, or the
        caller is refused for having too few points: that is no work.

        Raises RequestRefused (429), or Refused (COST_TOO_HIGH) if the caller can never have as many points.
        """
        if self._toll is None and not self._is_denied:
            due = TOLL + characters // CHARACTERS_A_POINT
            self._toll = await self._take(due)
            self._due = due

    async def reserve(self, requested: int) -> None:
        """Take what the operation may cost, instead of the toll. Raises as `pay_toll` does; the toll is then paid."""
        toll, self._toll = self._toll, None
        if toll:
            # First, or an operation that needs nearly all that the caller can ever have would never be let in.
            await self._rate.give_back(toll, self._due)
        self._requested = max(requested, LEAST)
        try:
            self._reserved = await self._take(max(requested, self._due))
        except Exception:
            if toll:
                await self._rate.take(self._caller, self._due)
            raise

    async def settle(self, spent: int | None) -> dict[str, int]:
        """Give back what was reserved and not spent. None is for an answer that does not tell what was done for it,
        which costs what was requested.

        Answers the `extensions.cost` of the response.
        """
        assert self._reserved, "reserve comes first"
        actual = self._requested if spent is None else min(max(spent, LEAST), self._requested)
        remaining = await self._rate.give_back(self._reserved, self._reserved.points - actual)
        return {
            "requested": self._requested,
            "actual": actual,
            "budget": self._reserved.budget,
            "remaining": remaining,
        }

    async def settle_refused(self) -> None:
        """Give back what was reserved for an operation that turned out not to be valid, all but the toll."""
        assert self._reserved, "reserve comes first"
        await self._rate.give_back(self._reserved, self._reserved.points - self._due)

    async def _take(self, points: int) -> Taken:
        taken = await self._rate.take(self._caller, points)
        if taken.never:
            message = f"The operation may cost {points} points; you can never have more than {taken.budget}."
            if not self._caller.client:
                message += " Name the client in the header ET-Client-Name, as <company>-<application>, to have more."
            raise refuse(ErrorCode.COST_TOO_HIGH, message=message)
        if not taken.granted:
            self._is_denied = True
            seconds = str(taken.retry_after)
            message = f"{points} points are needed, and {taken.remaining} are left. Try again in {seconds} seconds."
            raise RequestRefused(429, ErrorCode.RATE_LIMITED, message, **{"Retry-After": seconds})
        return taken
