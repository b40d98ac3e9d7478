"""What makes a cluster use the cache: permissions of nodes, endpoints, rewriting at admission, the aspect for CDK apps."""
