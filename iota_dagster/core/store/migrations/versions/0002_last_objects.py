"""The view `last_objects`: the last key per bucket, account and region."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the view. Keys are ordered by their bytes, which PostgreSQL has to be told."""
    collation = 'COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(
        f"""
        CREATE VIEW last_objects AS
        SELECT bucket, account, region, key, delivery_hour, last_modified, registered_at, status
        FROM (
            SELECT log_objects.*, ROW_NUMBER() OVER (
                PARTITION BY bucket, account, region ORDER BY delivery_hour DESC, key {collation} DESC, id DESC
            ) AS place
            FROM log_objects
            WHERE kind = 'log'
        ) AS placed
        WHERE place = 1
        """
    )
