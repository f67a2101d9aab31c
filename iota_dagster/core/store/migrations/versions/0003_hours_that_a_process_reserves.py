"""Hours that a process reserves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Hours that a process reserves."""
    op.create_table(
        "reserved_hours",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("first_hour", sa.Integer(), nullable=False),
        sa.Column("end_hour", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_reserved_hours")),
    )
