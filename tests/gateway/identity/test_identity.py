"""Who a request is from, by its Authorization headers and the profiles in the database."""

import asyncio

import pytest
from sqlalchemy import update

from datastore import customer as stored
from datastore.database import Database
from datastore.own_profiles import own_profiles
from datastore.viewer import ANONYMOUS, Permission, TenantKind
from gateway.identity.identity import Identity
from gateway.identity.tokens import Tokens
from resolvers.errors import ErrorCode, Refused
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer
from tests.gateway.identity.tokens import AnIssuer, bearer
from tests.statements import statements

PARTNER = AnIssuer("https://partner.example")
TRAVELLER = AnIssuer("https://traveller.example", TenantKind.TRAVELLER)
PERSON = AnIssuer("https://person.example", TenantKind.PERSON)


@pytest.fixture
def identity(database: Database) -> Identity:
    return Identity(Tokens([each.issuer for each in (PARTNER, TRAVELLER, PERSON)]), database)


async def assert_refused(identity: Identity, *authorization: str) -> None:
    with pytest.raises(Refused) as refused:
        await identity.viewer(list(authorization))
    (error,) = refused.value.errors
    assert (error.code, error.message, error.path, error.rejected_values) == (ErrorCode.TOKEN_INVALID, "", (), ())


async def merge(database: Database, source: stored.Customer, target: stored.Customer) -> None:
    async with database.write() as session:
        await session.execute(
            update(stored.Customer).where(stored.Customer.id == source.id).values(merged_into_id=target.id)
        )


class TestHeader:
    @pytest.fixture
    def dialect(self) -> str:
        return "sqlite"

    async def test_without_a_header_the_caller_is_nobody(self, identity: Identity) -> None:
        assert await identity.viewer([]) is ANONYMOUS

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
    async def test_the_scheme_is_bearer_in_any_case(self, identity: Identity, scheme: str) -> None:
        assert (await identity.viewer([f"{scheme} {PARTNER.token()}"])).subject == "somebody"

    async def test_two_headers_are_refused_even_if_they_are_the_same(self, identity: Identity) -> None:
        await assert_refused(identity, *bearer(PARTNER.token()), *bearer(PARTNER.token()))
        await assert_refused(identity, *bearer(PARTNER.token()), "")

    @pytest.mark.parametrize(
        "value",
        [
            "",
            " ",
            "Bearer",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            "Bearer {}, Bearer {}",
            "Bearer {} {}",
            "Bearer\t{}",
            "Bearer:{}",
            "Bearer token={}",
            "Bearer {}\n",
            "Bearer {};",
            "Bearer {}å",
            "Bearer ====",
            "DPoP {}",
            " Bearer {}",
            "{}",
            "Bearer " + "x" * 100_000,
            "Bearer" + " " * 100_000,
        ],
        ids=lambda value: str(value)[:30],
    )
    async def test_anything_but_one_bearer_token_is_refused(self, identity: Identity, value: str) -> None:
        await assert_refused(identity, value.replace("{}", PARTNER.token()))


class TestClient:
    async def test_a_client_costs_no_statement(self, database: Database, identity: Identity) -> None:
        token = PARTNER.token(permissions={Permission.CUSTOMER_READ}, customer_number=1_000_000_001)
        with statements(database) as seen:
            viewer = await identity.viewer(bearer(token))
        assert (viewer.kind, viewer.customer_number, viewer.customer_ids) == (TenantKind.PARTNER, None, frozenset())
        assert viewer.permissions == {Permission.CUSTOMER_READ}
        assert seen == []

    async def test_an_employee_without_a_profile_costs_no_statement(
        self, database: Database, identity: Identity
    ) -> None:
        with statements(database) as seen:
            viewer = await identity.viewer(bearer(PERSON.token(employee_id="E1")))
        assert (viewer.employee_id, viewer.customer_number, viewer.customer_ids) == ("E1", None, frozenset())
        assert seen == []


@pytest.mark.rule("T05")
class TestUser:
    @pytest.mark.parametrize("issuer", [TRAVELLER, PERSON], ids=["traveller", "person"])
    async def test_a_user_is_found_by_number_in_one_statement(
        self, database: Database, identity: Identity, issuer: AnIssuer
    ) -> None:
        kari = await a_customer(database)
        await a_customer(database)
        token = issuer.token(customer_number=kari.customer_number)
        for _ in range(2):
            with statements(database) as seen:
                viewer = await identity.viewer(bearer(token))
            assert viewer.customer_number == kari.customer_number
            assert viewer.customer_ids == {kari.id}
            assert viewer.is_user
            assert len(seen) == 1

    @pytest.mark.rule("C40")
    async def test_a_merged_user_is_the_one_at_the_end_of_the_chain(
        self, database: Database, identity: Identity
    ) -> None:
        last = await a_customer(database)
        third = await a_merged_customer(database, into=last)
        second = await a_merged_customer(database, into=third)
        first = await a_merged_customer(database, into=second)
        branch = await a_merged_customer(database, into=last)
        await a_merged_customer(database, into=last, organisation_id=2)
        viewer = await identity.viewer(bearer(TRAVELLER.token(customer_number=second.customer_number)))
        assert viewer.customer_number == last.customer_number
        assert viewer.customer_ids == {first.id, second.id, third.id, last.id, branch.id}

    async def test_a_passive_user_is_let_in(self, database: Database, identity: Identity) -> None:
        kari = await a_customer(database, status=stored.CustomerStatus.PASSIVE)
        viewer = await identity.viewer(bearer(TRAVELLER.token(customer_number=kari.customer_number)))
        assert viewer.customer_ids == {kari.id}

    async def test_an_unknown_user_is_refused(self, identity: Identity) -> None:
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=1_999_999_999)))
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=2**63 - 1)))

    @pytest.mark.rule("T04")
    async def test_a_user_of_another_organisation_is_refused(self, database: Database, identity: Identity) -> None:
        kari = await a_customer(database, organisation_id=2)
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=kari.customer_number)))
        token = TRAVELLER.token(customer_number=kari.customer_number, organisation_id=2)
        assert (await identity.viewer(bearer(token))).customer_ids == {kari.id}

    async def test_a_deleted_user_is_refused(self, database: Database, identity: Identity) -> None:
        kari = await a_deleted_customer(database)
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=kari.customer_number)))
        merged = await a_merged_customer(database, into=kari)
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=merged.customer_number)))

    async def test_a_user_who_was_deleted_a_moment_ago_is_refused(self, database: Database, identity: Identity) -> None:
        kari = await a_customer(database)
        authorization = bearer(TRAVELLER.token(customer_number=kari.customer_number))
        assert await identity.viewer(authorization)
        async with database.write() as session:
            await session.execute(update(stored.Customer).values(status=stored.CustomerStatus.DELETED))
        await assert_refused(identity, *authorization)

    @pytest.mark.rule("T04")
    async def test_a_chain_over_another_organisation_is_refused(self, database: Database, identity: Identity) -> None:
        theirs = await a_customer(database, organisation_id=2)
        away = await a_merged_customer(database, into=theirs)
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=away.customer_number)))
        home = await a_customer(database)
        await merge(database, theirs, home)
        await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=away.customer_number)))

    async def test_users_merged_in_a_circle_are_refused(self, database: Database, identity: Identity) -> None:
        first = await a_customer(database)
        second = await a_merged_customer(database, into=first)
        third = await a_merged_customer(database, into=second)
        await merge(database, first, third)
        lead_in = await a_merged_customer(database, into=first)
        alone = await a_customer(database)
        await merge(database, alone, alone)
        for each in (first, second, third, lead_in, alone):
            async with asyncio.timeout(5):
                await assert_refused(identity, *bearer(TRAVELLER.token(customer_number=each.customer_number)))

    async def test_a_long_chain_is_followed_to_its_end(self, database: Database) -> None:
        customer = await a_customer(database)
        ids = {customer.id}
        for _ in range(30):
            customer = await a_merged_customer(database, into=customer)
            ids.add(customer.id)
        own = await own_profiles(database, 1, customer.customer_number)
        assert own is not None
        assert own.customer_ids == ids
