/**
 * Names that Terraform has, as far as deploy/terraform uses them. Looked up in the schemas of the providers hashicorp/aws 6.25.0,
 * helm 3.1.1 and random 3.7.2 (as the packages `@cdktf/provider-*` have them), and in the variables and outputs of
 * terraform-aws-modules/eks 21, vpc 6 and eks-pod-identity 2. Another name is looked up before it is added here.
 */

/** What a resource, a source of data, or a module takes and gives. */
export interface Known {
  /** Arguments and blocks that must be there. */
  readonly required: string;
  /** Further ones. */
  readonly optional: string;
  /** What can be read of it, arguments aside. */
  readonly read: string;
}

/** Arguments of all resources. */
export const metaArguments = ['for_each', 'depends_on', 'dynamic'];

/** By type. */
export const knownResources: Readonly<Record<string, Known>> = {
  aws_availability_zones: { required: '', optional: 'exclude_names state filter', read: 'names zone_ids' },
  aws_eks_pod_identity_association: {
    required: 'cluster_name namespace role_arn service_account',
    optional: 'tags target_role_arn',
    read: 'association_arn',
  },
  aws_elasticache_parameter_group: { required: 'family name parameter', optional: 'description tags', read: 'arn' },
  aws_elasticache_replication_group: {
    required: 'description replication_group_id',
    optional:
      'apply_immediately at_rest_encryption_enabled auth_token auto_minor_version_upgrade automatic_failover_enabled ' +
      'cluster_mode engine engine_version final_snapshot_identifier kms_key_id maintenance_window multi_az_enabled ' +
      'node_type num_cache_clusters parameter_group_name port security_group_ids snapshot_retention_limit ' +
      'snapshot_window subnet_group_name tags transit_encryption_enabled transit_encryption_mode user_group_ids',
    read: 'arn primary_endpoint_address reader_endpoint_address',
  },
  aws_elasticache_subnet_group: { required: 'name subnet_ids', optional: 'description tags', read: 'arn' },
  aws_elasticache_user: {
    required: 'access_string engine user_id user_name',
    optional: 'passwords no_password_required authentication_mode tags',
    read: 'arn',
  },
  aws_elasticache_user_group: { required: 'engine user_group_id', optional: 'user_ids tags', read: 'arn' },
  aws_iam_role: { required: 'assume_role_policy', optional: 'description name name_prefix path tags', read: 'arn' },
  aws_iam_role_policy: { required: 'policy role', optional: 'name name_prefix', read: '' },
  aws_secretsmanager_secret: {
    required: '',
    optional: 'description kms_key_id name name_prefix policy recovery_window_in_days tags',
    read: 'arn id',
  },
  aws_secretsmanager_secret_version: {
    required: 'secret_id',
    optional: 'secret_binary secret_string secret_string_wo secret_string_wo_version',
    read: 'arn version_id',
  },
  aws_security_group: { required: '', optional: 'description name name_prefix tags vpc_id', read: 'arn id' },
  aws_vpc_security_group_ingress_rule: {
    required: 'ip_protocol security_group_id',
    optional: 'cidr_ipv4 cidr_ipv6 description from_port prefix_list_id referenced_security_group_id tags to_port',
    read: 'arn id',
  },
  helm_release: {
    required: 'chart name',
    optional: 'atomic create_namespace description namespace repository set timeout values version wait',
    read: 'metadata status',
  },
  random_bytes: { required: 'length', optional: 'keepers', read: 'base64 hex' },
  random_password: { required: 'length', optional: 'keepers lower numeric special upper', read: 'result bcrypt_hash' },
};

/** By the address and the version that is asked for. */
export const knownModules: Readonly<Record<string, Known>> = {
  'terraform-aws-modules/vpc/aws ~> 6.0': {
    required: 'name cidr azs',
    optional:
      'private_subnets public_subnets intra_subnets enable_nat_gateway single_nat_gateway one_nat_gateway_per_az ' +
      'public_subnet_tags private_subnet_tags tags',
    read: 'vpc_id private_subnets public_subnets',
  },
  'terraform-aws-modules/eks/aws ~> 21.0': {
    required: 'name kubernetes_version vpc_id subnet_ids',
    optional:
      'endpoint_public_access endpoint_public_access_cidrs endpoint_private_access ' +
      'enable_cluster_creator_admin_permissions addons eks_managed_node_groups tags',
    read: 'cluster_name cluster_endpoint cluster_certificate_authority_data node_security_group_id',
  },
  'terraform-aws-modules/eks-pod-identity/aws ~> 2.0': {
    required: 'name',
    optional: 'attach_aws_lb_controller_policy associations tags',
    read: '',
  },
};

/** Functions and constructors of types. */
export const knownFunctions = new Set(
  'alltrue anytrue base64decode can cidrhost cidrsubnet contains endswith file jsonencode keys length list map max merge min object range regex set slice sort split startswith sum tonumber toset tostring try yamlencode'.split(
    ' ',
  ),
);
