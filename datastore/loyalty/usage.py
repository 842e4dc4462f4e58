"""What contracts are used for: order lines, the tax saved by them, and coupons that are held for a while (rules L16 and
L30 to L35)."""

from datetime import datetime
from enum import Enum

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, String, UniqueConstraint, literal_column, select
from sqlalchemy.orm import Mapped, aliased, mapped_column

from datastore.base import Base, BigKey, KeyText, letters
from datastore.loyalty.contract import OfPerson
from datastore.on_merge import MOVES, on_merge
from datastore.viewer import Viewer


class OrderLineEventType(Enum):
    """Rule L30."""

    PURCHASE = "PURCHASE"
    CANCELLATION = "CANCELLATION"


class OrderLineEvent(OfPerson, Base):
    """An order line by which a contract was used, or the cancellation of one (rules L30 to L34).

    Prices are in the smallest unit of the currency, negative for a cancellation. `coupons_used` is what the line took,
    a cancellation gave back, or null where the contract has no coupons; it counts in the Norwegian year of
    `travel_date`, which is `coupon_year`. `cancels_id` is the purchase that a cancellation is of. `sub_contract` is the
    contract that the use has made (rule L16). What was saved counts for the employee `employee_id` (rule L35).
    """

    __tablename__ = "order_line_event"
    __on_merge__ = on_merge(customer_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"), index=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    order_id: Mapped[str] = mapped_column(KeyText(60))
    order_line_id: Mapped[str] = mapped_column(KeyText(60))
    order_line_version: Mapped[str] = mapped_column(KeyText(60))
    event_type: Mapped[OrderLineEventType] = mapped_column(letters(OrderLineEventType, "event_type"))
    is_cancelled: Mapped[bool] = mapped_column(default=False)
    is_purchased: Mapped[bool] = mapped_column(default=False)
    cancels_id: Mapped[int | None] = mapped_column(ForeignKey("order_line_event.id"), unique=True)
    timestamp: Mapped[datetime]
    price: Mapped[int] = mapped_column(BigInteger)
    original_price: Mapped[int | None] = mapped_column(BigInteger)
    travel_date: Mapped[datetime]
    last_travel_date: Mapped[datetime]
    coupons_used: Mapped[int | None]
    coupon_year: Mapped[int]
    codespace: Mapped[str | None] = mapped_column(String(20))
    order_line_text: Mapped[str | None] = mapped_column(String(255))
    manual_transaction_comment: Mapped[str | None] = mapped_column(String(500))
    effective_cancellation_date: Mapped[datetime | None]
    sub_contract: Mapped[str | None] = mapped_column(ForeignKey("contract.uuid"), index=True)

    __table_args__ = (
        UniqueConstraint(
            "organisation_id",
            "order_id",
            "order_line_id",
            "order_line_version",
            "event_type",
            name="uq_order_line_event_order_line",
        ),
    )


class TaxDistribution(Base):
    """What was saved by an order line in a month, in the smallest unit; null if it is unknown (rule L35)."""

    __tablename__ = "tax_distribution"
    __owner__ = "order_line_event_id"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    order_line_event_id: Mapped[int] = mapped_column(ForeignKey("order_line_event.id"), index=True)
    tax_year: Mapped[int]
    tax_month: Mapped[int]
    tax_saving: Mapped[int | None] = mapped_column(BigInteger)
    is_unknown: Mapped[bool] = mapped_column(default=False)

    @classmethod
    def visible_to(cls, viewer: Viewer) -> ColumnElement[bool]:
        owner = aliased(OrderLineEvent)
        seen = select(owner.id).where(owner.id == cls.order_line_event_id, owner.visible_to(viewer))
        return seen.correlate_except(owner).exists()


class ReservationStatus(Enum):
    """What has become of coupons that were held."""

    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


class ContractReservation(OfPerson, Base):
    """A use of a contract that is held until it is captured, released or `expires_at`.

    The coupons are taken at once; once `expires_at` has come they count as given back, and the next who writes about
    the contract gives them back in its ledger."""

    __tablename__ = "contract_reservation"
    __on_merge__ = on_merge(customer_id=MOVES)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    uuid: Mapped[str] = mapped_column(KeyText(36), unique=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("contract.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    status: Mapped[ReservationStatus] = mapped_column(
        letters(ReservationStatus, "reservation_status"), default=ReservationStatus.HELD
    )
    coupons: Mapped[int | None]
    coupon_year: Mapped[int]
    travel_date: Mapped[datetime]
    last_travel_date: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))
    settled_at: Mapped[datetime | None]
    order_line_event_id: Mapped[int | None] = mapped_column(ForeignKey("order_line_event.id"), index=True)

    __table_args__ = (
        Index(
            "ix_contract_reservation_held",
            "contract_id",
            "expires_at",
            sqlite_where=literal_column("status = 'held'"),
            postgresql_where=literal_column("status = 'held'"),
        ),
    )
