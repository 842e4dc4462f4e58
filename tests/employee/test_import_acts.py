"""Beginning an import of many employees: who may, what is refused, what the log tells, what a batch costs."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from datastore.audit import AuditLogEntry
from datastore.audit_check import verify
from datastore.database import Database
from datastore.employee import bulk
from datastore.employee.personnel import Company
from datastore.employee.rights import EmployeeImport, UploadChunk
from datastore.sealing import Keyring
from datastore.viewer import GRANTABLE, Viewer
from resolvers.context import Context
from resolvers.employee.batches import ImportJob
from resolvers.employee.spreadsheet import Row
from resolvers.employee.uploads import MOST_ROWS, NEEDED, Packer, Upload
from resolvers.errors import ErrorCode, Refused
from tests.conftest import KEYS
from tests.customer.mutations import answered, done, events, everything, refused
from tests.employee.importing import (
    IMPORT,
    LOOK,
    a_row,
    contents,
    counts,
    csv_of,
    imported,
    left_of_uploads,
    looked,
    stored_employees,
    uploaded,
    worked,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.employee import a_company, the_codes
from tests.statements import statements

LIST = "query($company: Long!) { employeeImports(companyId: $company) { totalItems nodes { id rowsTotal } } }"
ONE = [a_row(1)]


@pytest.fixture
async def company(database: Database) -> Company:
    """Company 1 of organisation 1, with the codes of the builders."""
    await the_codes(database)
    return await a_company(database)


async def begun(database: Database, company: Company, viewer: Viewer = VIEWER, **given: Any) -> str:
    """The id of an import that has begun, of one employee unless others are given."""
    given = given or {"employees": ONE}
    key: str = (await done(database, IMPORT, {"companyId": company.id, **given}, viewer))["id"]
    return key


# Beginning


async def test_an_import_begins_with_nothing_done(database: Database, company: Company) -> None:
    run = await done(database, IMPORT, {"companyId": company.id, "employees": [a_row(1), a_row(2)]})
    assert (run["progress"], run["rowsTotal"], run["rowsDone"], run["finishedAt"]) == (0, 2, 0, None)
    assert counts(run) == (0, 0, 0, 0)
    assert await stored_employees(database) == {}


async def test_progress_grows_with_every_batch(database: Database, company: Company) -> None:
    rows = [a_row(number) for number in range(1100)]
    key = await begun(database, company, uploadId=await uploaded(database, company, csv_of(rows)))
    seen = []
    while await worked(database, 1):
        run = await looked(database, key)
        seen.append((run["progress"], run["rowsDone"], len(await stored_employees(database))))
    assert seen == [(45, 500, 500), (90, 1000, 1000), (100, 1100, 1100)]
    assert (await looked(database, key))["finishedAt"] is not None


async def test_exactly_one_source_is_needed(database: Database, company: Company) -> None:
    for given in ({}, {"employees": ONE, "uploadId": "1"}):
        found = await refused(database, IMPORT, {"companyId": company.id, **given})
        assert found == [("EXACTLY_ONE_NEEDED", "employees", [])]


async def test_a_list_has_one_to_a_thousand_employees(database: Database, company: Company) -> None:
    given = {"companyId": company.id, "employees": []}
    assert await refused(database, IMPORT, given) == [("REQUIRED", "employees", [])]
    many = [a_row(number) for number in range(1001)]
    assert await refused(database, IMPORT, {**given, "employees": many}) == [("TOO_MANY_ROWS", "employees", [])]
    assert (await imported(database, company, employees=many[:1000]))["inserted"] == 1000


@pytest.mark.rule("T04")
async def test_foreign_companies_and_uploads_are_as_unknown_ones(database: Database, company: Company) -> None:
    key = await uploaded(database, company, csv_of(ONE))
    bound = Viewer(1, permissions=GRANTABLE, company_id=company.id + 1)
    for viewer in (FOREIGNER, bound):
        for more in ({"employees": ONE}, {"uploadId": key}):
            found = await refused(database, IMPORT, {"companyId": company.id, **more}, viewer)
            assert found == [("COMPANY_NOT_FOUND", "companyId", [str(company.id)])]
    assert await refused(database, IMPORT, {"companyId": 999, "employees": ONE}) == [
        ("COMPANY_NOT_FOUND", "companyId", ["999"])
    ]
    other = await a_company(database)
    for given in (key, "999", "x", "9" * 30):
        assert await refused(database, IMPORT, {"companyId": other.id, "uploadId": given}) == [
            ("IMPORT_NOT_FOUND", "uploadId", [given])
        ]
    assert (await looked(database, await begun(database, company, INTERNAL, uploadId=key)))["rowsTotal"] == 1


async def test_a_deleted_company_takes_no_import(database: Database) -> None:
    await the_codes(database)
    company = await a_company(database, is_deleted=True)
    assert await refused(database, IMPORT, {"companyId": company.id, "employees": ONE}) == [
        ("COMPANY_DELETED", "companyId", [str(company.id)])
    ]
    with pytest.raises(Refused, match="COMPANY_DELETED"):
        await uploaded(database, company, csv_of(ONE))


async def test_a_company_that_is_deleted_meanwhile_gets_nobody_new(database: Database, company: Company) -> None:
    await imported(database, company, employees=ONE)
    key = await begun(database, company, employees=[a_row(1, surname="Hansen"), a_row(2)])
    async with database.write() as session:
        await session.execute(update(Company).values(is_deleted=True))
    await worked(database)
    run = await looked(database, key)
    assert (counts(run), run["errors"][0]["code"]) == ((0, 1, 0, 1), "COMPANY_DELETED")


async def test_one_import_of_a_company_runs_at_a_time(database: Database, company: Company) -> None:
    await begun(database, company)
    key = await uploaded(database, company, csv_of(ONE))
    for given in ({"employees": ONE}, {"employees": ONE, "dryRun": True}, {"uploadId": key}):
        assert await refused(database, IMPORT, {"companyId": company.id, **given}) == [
            ("IMPORT_RUNNING", "companyId", [str(company.id)])
        ]
    await begun(database, await a_company(database))
    await worked(database)
    assert await begun(database, company)


async def test_of_two_who_begin_at_once_one_does(url: str, database: Database, company: Company) -> None:
    other = Database(url, keys=KEYS)
    given = {"companyId": company.id, "employees": ONE}
    both = await asyncio.gather(*(answered(each, IMPORT, given) for each in (database, other)))
    assert sorted(code for _, errors in both for code, *_ in errors) == ["IMPORT_RUNNING"]
    assert (await left_of_uploads(database))[0] == 1
    await other.close()


async def test_two_workers_import_everybody_once(url: str, database: Database, company: Company) -> None:
    rows = [a_row(number) for number in range(1600)]
    key = await begun(database, company, uploadId=await uploaded(database, company, csv_of(rows)))
    others, job = [database, Database(url, keys=KEYS)], ImportJob()

    async def work(each: Database) -> int:
        return sum([await job.batch(each, int(key)) for _ in range(8)])

    done_by = await asyncio.gather(*map(work, others))
    await worked(database)
    assert sum(done_by) <= 4
    assert counts(await looked(database, key)) == (1600, 0, 0, 0)
    assert len(await stored_employees(database)) == 1600
    await others[1].close()


# Looking


async def test_imports_are_listed_the_newest_first_and_only_to_who_may_see_the_company(
    database: Database, company: Company
) -> None:
    keys = []
    for number in (1, 2):
        keys.append(await begun(database, company, employees=[a_row(each) for each in range(number)]))
        await worked(database)
    await uploaded(database, company, csv_of(ONE))
    found = (await execute(database, LIST, company=company.id))["employeeImports"]
    assert [(each["id"], each["rowsTotal"]) for each in found["nodes"]] == [(keys[1], 2), (keys[0], 1)]
    for viewer in (FOREIGNER, Viewer(1, permissions=GRANTABLE, company_id=company.id + 1)):
        assert (await execute(database, LIST, viewer, company=company.id))["employeeImports"]["nodes"] == []
        assert (await execute(database, LOOK, viewer, id=keys[0]))["employeeImport"] is None
    assert (await execute(database, LOOK, INTERNAL, id=keys[0]))["employeeImport"]["id"] == keys[0]


async def test_an_upload_that_was_not_begun_is_no_import(database: Database, company: Company) -> None:
    key = await uploaded(database, company, csv_of(ONE))
    for given in (key, "x", "0", "9" * 30):
        assert (await execute(database, LOOK, id=given))["employeeImport"] is None


# Uploads


@pytest.mark.rule("E03")
@pytest.mark.parametrize("missing", NEEDED)
async def test_an_upload_needs_the_columns_of_an_import_and_leaves_nothing_without(
    database: Database, company: Company, missing: str
) -> None:
    row = {name: value for name, value in a_row(1).items() if name != missing}
    upload = await Upload.begin(Context(database, VIEWER), company.id)
    with pytest.raises(Refused) as refused:
        await upload.add(csv_of([row]).encode())
    assert [(error.code, error.path) for error in refused.value.errors] == [(ErrorCode.COLUMN_MISSING, (missing,))]
    await upload.abandon()
    assert await left_of_uploads(database) == (0, 0)


async def test_half_an_upload_cannot_be_imported(database: Database, company: Company) -> None:
    upload = await Upload.begin(Context(database, VIEWER), company.id)
    await upload.add(csv_of([a_row(number) for number in range(600)]).encode())
    assert await left_of_uploads(database) == (1, 1)
    given = {"companyId": company.id, "uploadId": str(upload.import_id)}
    assert [code for code, *_ in await refused(database, IMPORT, given)] == ["IMPORT_NOT_FOUND"]


async def test_an_upload_without_rows_is_refused(database: Database, company: Company) -> None:
    for text in (csv_of(ONE).splitlines()[0], csv_of(ONE).splitlines()[0] + "\n\n"):
        with pytest.raises(Refused, match="CSV_INVALID"):
            await uploaded(database, company, text)


def test_an_upload_has_at_most_a_hundred_thousand_rows() -> None:
    packer = Packer(None)
    for line in range(MOST_ROWS):
        list(packer.add(["employeeNo"], Row(line, [str(line)])))
    with pytest.raises(Refused, match="TOO_MANY_ROWS"):
        list(packer.add(["employeeNo"], Row(MOST_ROWS, ["x"])))


async def test_what_is_uploaded_is_stored_sealed_and_gone_when_it_is_imported(
    database: Database, company: Company
) -> None:
    key = await uploaded(database, company, csv_of([a_row(1, surname="Secretsen", ssn="31459")]))
    (chunk,) = await database.fetch(select(UploadChunk.__table__))
    assert "Secretsen" in database.keys.open(chunk.content, UploadChunk.content)
    before = str(await everything(database))
    assert "Secretsen" not in before
    assert "31459" not in before
    await imported(database, company, uploadId=key)
    assert await left_of_uploads(database) == (1, 0)


async def test_uploads_are_good_for_a_day_and_then_removed(database: Database, company: Company) -> None:
    old, young = [await uploaded(database, company, csv_of([a_row(number)])) for number in (1, 2)]
    tried = await begun(database, company, uploadId=await uploaded(database, company, csv_of(ONE)), dryRun=True)
    await worked(database)
    half = await Upload.begin(Context(database, VIEWER), company.id)

    async def age(hours: float) -> None:
        moment = datetime.now(UTC) - timedelta(hours=hours)
        aged = EmployeeImport.id.in_([int(old), int(tried), half.import_id])
        async with database.write() as session:
            await session.execute(update(EmployeeImport).where(aged).values(uploaded_at=moment))
        await ImportJob().clean(database)

    await age(24.5)
    assert await left_of_uploads(database) == (4, 3)
    given = {"companyId": company.id, "uploadId": old}
    assert [code for code, *_ in await refused(database, IMPORT, given)] == ["IMPORT_NOT_FOUND"]
    await age(25.5)
    assert await left_of_uploads(database) == (2, 1)
    assert (await looked(database, tried))["inserted"] == 1
    assert counts(await imported(database, company, uploadId=young)) == (1, 0, 0, 0)


async def test_a_running_import_keeps_its_upload(database: Database, company: Company) -> None:
    key = await begun(database, company)
    async with database.write() as session:
        await session.execute(update(EmployeeImport).values(uploaded_at=datetime(2020, 1, 1, tzinfo=UTC)))
    await ImportJob().clean(database)
    await worked(database)
    assert counts(await looked(database, key)) == (1, 0, 0, 0)


# The log, events, failures


async def test_the_log_tells_who_began_it_and_what_each_batch_did_without_values(
    database: Database, company: Company
) -> None:
    rows = [a_row(number, surname="Secretsen") for number in range(600)]
    key = await begun(database, company, uploadId=await uploaded(database, company, csv_of(rows)))
    await worked(database)
    await imported(database, company, employees=rows[:1])
    entries = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
    told = [(each.operation, each.subject, each.details["import"]) for each in entries]
    run = {"id": int(key), "company_id": company.id}
    assert told == [
        ("importEmployees", "", {**run, "rows": 600, "is_dry_run": False}),
        ("importEmployees", "kundeport import", {**run, "inserted": 500, "updated": 0}),
        ("importEmployees", "kundeport import", {**run, "inserted": 100, "updated": 0}),
        ("importEmployees", "", {**run, "id": int(key) + 1, "rows": 1, "is_dry_run": False}),
    ]
    assert "Secretsen" not in str(entries)
    assert {each.problem async for each in verify(database)} == {""}
    assert await events(database) == []


async def test_an_import_that_cannot_go_on_ends_with_an_error(database: Database, company: Company) -> None:
    key = await begun(database, company)
    job = ImportJob()
    keys, database.keys = database.keys, Keyring()
    with pytest.raises(Exception, match="key that is not configured"):
        await job.batch(database, int(key))
    await job.give_up(database, int(key))
    database.keys = keys
    run = await looked(database, key)
    assert (run["error"], run["progress"]) == (ErrorCode.INTERNAL.value.long_english, 0)
    assert run["finishedAt"] is not None
    assert await job.waiting(database) == []
    assert counts(await imported(database, company, employees=ONE)) == (1, 0, 0, 0)


async def test_a_batch_takes_as_many_statements_for_one_row_as_for_many(database: Database, company: Company) -> None:
    seen = []
    for number in (2, 400):
        await imported(database, company, employees=[a_row(f"{number}-{each}") for each in range(number // 2)])
        rows = [a_row(f"{number}-{each}", surname="Hansen") for each in range(number)]
        key = await begun(database, company, employees=rows)
        with statements(database) as texts:
            assert await ImportJob().batch(database, int(key))
        seen.append(len(texts))
        run = await looked(database, key)
        assert counts(run) == (number // 2, number // 2, 0, 0)
    assert seen[0] == seen[1] <= 18


async def test_a_batch_that_fails_stores_nothing_and_goes_on_later(
    database: Database, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await begun(database, company, employees=[a_row(number) for number in range(20)])
    before = await everything(database)

    async def fail(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(bulk, "tell_batch", fail)
        with pytest.raises(RuntimeError, match="killed"):
            await ImportJob().batch(database, int(key))
    assert await everything(database) == before
    await worked(database)
    assert counts(await looked(database, key)) == (20, 0, 0, 0)
    assert len((await contents(database))["ticket_rights_holder"]) == 20


async def test_a_repeat_with_the_same_idempotency_key_answers_the_same_import(
    database: Database, company: Company
) -> None:
    text = IMPORT.replace("($input: ImportEmployeesInput!)", "($input: ImportEmployeesInput!, $key: String!)")
    text = text.replace("(input: $input)", "(input: $input) @idempotent(key: $key)")
    given = {"companyId": company.id, "employees": ONE}
    first = await done(database, text, given, key="once")
    await worked(database)
    again = await done(database, text, given, key="once")
    assert (again["id"], again["inserted"]) == (first["id"], 1)
    other = {**given, "employees": [a_row(1, ssn="00001")]}
    assert [code for code, *_ in await refused(database, text, other, key="once")] == ["IDEMPOTENCY_KEY_REUSED"]
