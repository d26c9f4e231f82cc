"""The parts of scripts/ha_test.py: processes, the database cluster, the gateways, the loads."""
