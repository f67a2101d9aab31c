"""What `iota doctor` looks at, one module per neighbour; `iota_dagster.doctor` puts the checks together."""
