"""Reports of tax savings, as shown."""

from datetime import datetime

import strawberry

from datastore.employee import personnel
from datastore.employee import rights as stored
from datastore.viewer import Permission
from resolvers.employee import reports
from resolvers.scalars import Long
from schema.employee.personnel import Company
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers
from schema.view import computed, one, query, view_of


@view_of(stored.TaxSavingReport, needs=Permission.REPORT_READ)
class TaxSavingReportGeneration:
    """A report of the tax savings of a company's employees in a month, which is made in the background."""

    id: strawberry.ID = strawberry.field(description="Id of the report.")
    company_id: Long = strawberry.field(description="Id of the company.")
    company: Company | None = one(personnel.Company.id, via="company_id", description="The company.")
    year: int = strawberry.field(description="The year.")
    month: int = strawberry.field(description="The month, 1 to 12.")
    started: datetime = strawberry.field(description="When the report generation started.")
    progress: int = strawberry.field(
        description="How far the generation has progressed in percent from 0 to 100; it never falls."
    )
    finished: datetime | None = strawberry.field(description="When the report generation finished.")
    error: str | None = strawberry.field(description="Error if the report generation fails; it is not finished then.")
    csv: str | None = computed(
        reports.whole_csv,
        reads=("finished", "csv"),
        description=(
            "The report, once it is finished: the columns employeeNo, name, year, month, taxSaving in øre and "
            "isUnknown, all in quotes, with the company's separator. A text that a spreadsheet would take for a "
            "formula has an apostrophe in front."
        ),
    )


@payload("What startTaxSavingReport answers.")
class StartTaxSavingReportPayload(Payload):
    tax_saving_report: TaxSavingReportGeneration | None = strawberry.field(
        description="The report, which is being made."
    )


@strawberry.type
class ReportMutations:
    start_tax_saving_report: StartTaxSavingReportPayload = mutation(
        reports.start_tax_saving_report,
        needs=Permission.REPORT_READ,
        callers=Callers.CLIENTS,
        description="Begins to make the report of a company's month; taxSavingReport tells how far it is.",
    )


@strawberry.type
class ReportQueries:
    tax_saving_report: TaxSavingReportGeneration | None = query(
        reports.tax_saving_report,
        needs=Permission.REPORT_READ,
        callers=Callers.CLIENTS,
        description="The report with this id, or null.",
        arguments={"id": "Id of the report."},
    )
